"""Puts another sample in the place of one whose image cannot be read, and says so.

Which other is a function of the sample's place in the stream alone, so that a resumed
training sees the same. What was replaced travels to the main process beside the batch
that it belongs to: the order is that of the batches, with any number of workers, forked
or spawned, and what a killed run had only prefetched is not counted twice.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmdetxfer.datasets.guarded_dataset import UnreadableImageError

MAX_DRAWS = 21
"""Samples tried for one place; as many failures in a row mean that most are broken."""


class Unreadable(NamedTuple):
    """An image file that could not be read."""

    path: str
    reason: str


class ReportedSample(NamedTuple):
    """A sample with the images that could not be read on the way to it."""

    sample: Any
    unreadable: tuple[Unreadable, ...] = ()


def take_sample(
    dataset: Any, index: int, draw: Callable[[int], int] = np.random.randint
) -> ReportedSample:
    """Take a sample, or another one if its image cannot be read.

    Args:
        dataset: A :class:`~mmdetxfer.datasets.GuardedDataset`.
        index: The sample.
        draw: Draws an index below a number; numpy's global generator by default, which
            the caller has seeded from the sample's place in the stream.
    """
    unreadable: list[Unreadable] = []
    while True:
        try:
            return ReportedSample(dataset[index], tuple(unreadable))
        except UnreadableImageError as error:
            unreadable.append(Unreadable(error.path, error.reason))
            if len(unreadable) == MAX_DRAWS:
                raise _hopeless(unreadable) from error
        index = int(draw(len(dataset)))


def _hopeless(unreadable: Sequence[Unreadable]) -> UnreadableImageError:
    first = unreadable[0]
    return UnreadableImageError(
        f'{first.path} and {len(unreadable) - 1} samples drawn in its place cannot be '
        f'read ({first.reason}); check data_root and data_prefix, then look with '
        'tools/analysis_tools/audit_dataset.py',
        first.path,
        first.reason,
    )


class ReportingCollate:
    """Collates reported samples: the batch, and beside it what could not be read."""

    def __init__(self, collate: Callable[[list], Any]) -> None:
        """Take the function that makes a batch of samples."""
        self.collate = collate

    def __call__(self, samples: list[ReportedSample]) -> tuple[Any, tuple]:
        """Return the batch and all unreadable images on the way to it."""
        unreadable = tuple(one for sample in samples for one in sample.unreadable)
        return self.collate([sample.sample for sample in samples]), unreadable


def bare_batches(reported: Iterable, log: list[Unreadable]) -> Iterator:
    """Yield the batches of a loader that uses :class:`ReportingCollate`.

    Args:
        reported: An iterator of that loader.
        log: What could not be read is appended here when its batch is handed out.
    """
    for batch, unreadable in reported:
        # Pinning makes lists of tuples.
        log.extend(Unreadable(*one) for one in unreadable)
        yield batch


def named_files(unreadable: Sequence[Unreadable], most: int = 20) -> str:
    """List files with their reasons, each once, and count those beyond ``most``."""
    distinct = {path: reason for path, reason in unreadable}
    named = [f'{path} ({reason})' for path, reason in list(distinct.items())[:most]]
    if len(distinct) > most:
        named.append(f'and {len(distinct) - most} more files')
    return ', '.join(named)
