"""Finds the checkpoint to go on from in a work folder.

The newest whole training checkpoint is taken; a damaged one is named and passed over.
'best' and published files hold no optimizer and are no place to resume from.
"""

from dataclasses import dataclass
from pathlib import Path

from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.errors import CheckpointError

# Where our Runner keeps what exact resume needs beside what mmengine saves.
PROGRESS_KEY = 'mmdetxfer_progress'


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


def _missing_parts(checkpoint: dict) -> list[str]:
    meta = checkpoint.get('meta') or {}
    missing = [f'meta.{key}' for key in ('epoch', 'iter') if key not in meta]
    return missing + [k for k in ('optimizer', 'message_hub') if k not in checkpoint]


def _described(path: Path, checkpoint: dict, passed_over: tuple) -> Resumable:
    meta = checkpoint['meta']
    ranks = (checkpoint.get(PROGRESS_KEY) or {}).get('world_size')
    place = (meta['epoch'], meta['iter'], meta.get('seed'), ranks)
    return Resumable(path, *place, passed_over)


def _newest_first(work_dir: Path) -> list[Path]:
    """Order by time of writing, also where ``last_checkpoint`` points elsewhere."""
    found = {p.resolve() for p in work_dir.glob('*.pth')}
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text().strip())
        if named.is_file():
            found |= {p.resolve() for p in named.parent.glob('*.pth')}
    training = [p for p in found if not p.name.startswith('best_')]
    return sorted(training, key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)
