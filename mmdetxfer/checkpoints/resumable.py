"""Finds the checkpoint to go on from in a work folder.

The newest whole training checkpoint is taken; a damaged one is named and passed over.
'best' and published files hold no optimizer and are no place to resume from.
"""

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.errors import CheckpointError

# Where our Runner keeps what exact resume needs beside what mmengine saves.
PROGRESS_KEY = 'mmdetxfer_progress'
# What the checkpoint hook writes, and the hashes beside it.
_OF_TRAINING = re.compile(r'((epoch|iter)_\d+|best_.*)\.[a-z]+(\.sha256)?$')


@dataclass(frozen=True)
class Resumable:
    """A whole training checkpoint: where training stands in it, and with what seed."""

    path: Path
    epoch: int
    iteration: int
    seed: int | None
    num_ranks: int | None
    passed_over: tuple[str, ...] = ()


def find_resumable(work_dir: Path) -> Resumable | None:
    """Return the newest good training checkpoint of a work folder, None if none is.

    Files that are damaged or refused are listed in ``passed_over``, each with its
    reason. If nothing better is there, ``CheckpointError`` is raised: training from
    scratch over them would lose them. Files without an optimizer are not considered.
    """
    passed_over: list[str] = []
    for path in _newest_first(work_dir):
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError as error:
            passed_over.append(str(error))
            continue
        if not _missing_parts(checkpoint):
            return _described(path, checkpoint, tuple(passed_over))
    if passed_over:
        raise CheckpointError(
            f'{work_dir} holds checkpoints, but none to resume from: '
            f'{"; ".join(passed_over)}; move them away to start afresh'
        )
    return None


def resumable_at(path: Path) -> Resumable:
    """Describe one named file; raise if it is damaged or no training checkpoint."""
    checkpoint = read_checkpoint(path)
    missing = _missing_parts(checkpoint)
    if missing:
        raise CheckpointError(
            f'{path} is no training checkpoint: it has no {", ".join(missing)}; name '
            'it with load_from to start a new training from its weights'
        )
    return _described(path, checkpoint, ())


def set_checkpoints_aside(folder: Path) -> Path | None:
    """Move a training's own checkpoints into a new folder ``former_N`` in ``folder``.

    Their names end in a number, or begin with 'best_'. Returns where they are now, None
    if there were none.
    """
    found = [path for path in folder.glob('*.*') if _OF_TRAINING.match(path.name)]
    if not found:
        return None
    places = (folder / f'former_{number}' for number in count(1))
    aside = next(place for place in places if not place.exists())
    aside.mkdir()
    for path in found:
        path.rename(aside / path.name)
    return aside


def _missing_parts(checkpoint: dict) -> list[str]:
    meta = checkpoint.get('meta')
    place = meta if isinstance(meta, dict) else {}
    missing = [f'meta.{k}' for k in ('epoch', 'iter') if type(place.get(k)) is not int]
    parts = ('state_dict', 'optimizer', 'message_hub')
    return missing + [k for k in parts if not isinstance(checkpoint.get(k), dict)]


def _described(path: Path, checkpoint: dict, passed_over: tuple) -> Resumable:
    meta = checkpoint['meta']
    progress = checkpoint.get(PROGRESS_KEY)
    ranks = progress.get('world_size') if isinstance(progress, dict) else None
    place = (meta['epoch'], meta['iter'], meta.get('seed'), ranks)
    return Resumable(path, *place, passed_over)


def _newest_first(work_dir: Path) -> list[Path]:
    """Order by time of writing.

    A copied folder may have lost the order of times: files that are later than the one
    that ``last_checkpoint`` names without being further on come behind it.
    """
    named = _last_checkpoint(work_dir)
    folders = {work_dir.resolve()} | ({named.parent.resolve()} if named else set())
    endings = {'.pth'} | ({named.suffix} if named else set())
    found = [path for x in folders for path in x.glob('*') if path.suffix in endings]
    training = [path for path in found if not path.name.startswith('best_')]
    training.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    if named is None or named.resolve() not in training:
        return training
    place = training.index(named.resolve())
    later, rest = training[:place], training[place:]
    ahead = [path for path in later if _number(path) > _number(named)]
    behind = [path for path in later if path not in ahead]
    return ahead + rest[:1] + behind + rest[1:]


def _last_checkpoint(work_dir: Path) -> Path | None:
    """Return the file that ``last_checkpoint`` names: here if one is here, or there."""
    pointer = work_dir / 'last_checkpoint'
    if not pointer.is_file():
        return None
    written = Path(pointer.read_text(errors='replace').strip())
    places = (work_dir / written.name, written)
    return next((place for place in places if place.is_file()), None)


def _number(path: Path) -> int:
    """Return the epoch or iteration at the end of a checkpoint's name, else 0."""
    number = re.search(r'(\d+)$', path.stem)
    return int(number.group(1)) if number else 0
