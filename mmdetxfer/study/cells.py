"""What a plan is made of: cells under keys, and what they are in a study."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.study.reading import Options, Study

PRETRAIN, TRANSFER, PROBE = 'pretrain', 'transfer', 'probe'


@dataclass(frozen=True)
class Machine:
    """Where cells run, as far as their numbers depend on it.

    Args:
        device: 'cpu' or 'cuda'.
        world_size: Ranks of a training.
        cells: Folder of all cells.
    """

    device: str = 'cpu'
    world_size: int = 1
    cells: Path = Path('work_dirs/cells')


@dataclass(frozen=True)
class Cell:
    """One thing to run.

    Args:
        key: Of all that decides its numbers.
        spec: What is run, as plain data (``cell.json``).
        needs: Keys of cells that must be done before.
        content: What the key was made of.
        reads: Folders of data, and files from outside.
    """

    key: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...]
    content: Mapping[str, Any]
    reads: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """What kind of cell it is."""
        return self.spec['kind']

    def folder(self, cells: Path) -> Path:
        """Return where it lies."""
        return cells / self.key


@dataclass(frozen=True)
class Use:
    """What a cell is in a study.

    Args:
        key: Of the cell.
        role: 'pretrain', 'trial', 'final' or 'probe'.
        candidate: Name of a candidate it is of.
        seed: Of the chain.
        target: Name of the target.
        share: Of the target's train set.
        setting: What was tried, of a trial.
        stage: Place in the chain, of a pre-training.
    """

    key: str
    role: str
    candidate: str
    seed: int
    target: str | None = None
    share: float = 1.0
    setting: Options | None = None
    stage: int | None = None

    @property
    def words(self) -> str:
        """What it is, for readers."""
        parts = [self.role, self.candidate]
        if self.stage is not None:
            parts.append(f'stage {self.stage + 1}')
        if self.target:
            parts.append(f'on {self.target}')
        if self.share != 1:
            parts.append(f'with {self.share:g} of its images')
        if self.setting is not None:
            parts.append(setting_words(self.setting))
        return ' '.join([*parts, f'seed {self.seed}'])


@dataclass
class Plan:
    """Cells of a study, and what they are in it.

    Args:
        study: The study.
        machine: Where it runs.
        cells: By key, what is needed before what needs it.
        uses: What they are.
        changed: Data that are not what they were at the last look.
    """

    study: Study
    machine: Machine
    cells: dict[str, Cell] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)

    def folder(self, key: str) -> Path:
        """Return where a cell lies."""
        return self.machine.cells / key

    def used(self, role: str, **wanted: Any) -> Iterator[Use]:
        """Yield what has a role, and what else is named."""
        for use in self.uses:
            if use.role == role and all(
                getattr(use, key) == value for key, value in wanted.items()
            ):
                yield use

    def words(self, key: str) -> str:
        """Return what a cell is, for readers."""
        own = [use.words for use in self.uses if use.key == key]
        return own[0] + (f' and {len(own) - 1} more' if len(own) > 1 else '')


def setting_words(setting: Options) -> str:
    """Return a setting in words: the last part of each option, and its value."""
    pairs = (f'{key.rsplit(".", 1)[-1]} {value}' for key, value in setting.items())
    return ', '.join(pairs) or 'as its config says'


def named_cell(plan: Plan, words: str) -> str:
    """Return the key of a cell that a user names by the beginning of its key.

    Args:
        plan: The plan.
        words: The beginning of a key.
    """
    found = [key for key in plan.cells if key.startswith(words)]
    if len(found) != 1:
        raise UserError(
            f'expected the beginning of the key of one cell, {words!r} fits '
            f'{len(found)}; tools/study.py status lists them'
        )
    return found[0]
