"""Files that a user of ImageNet has: lists of synsets, and which is below which."""

from collections.abc import Sequence
from pathlib import Path

from mmdetxfer.errors import UserError


def read_synsets(synsets: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Return synsets, from a list or from a file whose lines begin with one."""
    if not isinstance(synsets, (str, Path)):
        return tuple(synsets)
    try:
        lines = Path(synsets).read_text().splitlines()
    except OSError as error:
        raise UserError(
            f'{synsets}: expected lines that begin with a synset, it cannot be opened '
            f'({error.strerror})'
        ) from error
    return tuple(line.split()[0] for line in lines if line.strip())


def read_is_a(path: str | Path) -> list[tuple[str, str]]:
    """Return pairs of parent and child synset (ImageNet's ``wordnet.is_a.txt``)."""
    try:
        lines = Path(path).read_text().splitlines()
        return [
            (parent, child) for parent, child in map(str.split, filter(None, lines))
        ]
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path}: expected lines of parent and child synset, it cannot be read as '
            f'such ({error})'
        ) from error
