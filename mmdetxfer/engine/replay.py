"""A data stream that can be entered at any position, with the same samples.

The random numbers of a sample are a function of (seed, epoch, position, rank) alone:
the batch sampler hands out indices that know their position, and one outermost wrapper
of the data set seeds python, numpy and torch from it before the sample is made. So a
stream gives the same samples with and without workers, whatever the number of workers,
and entering it at batch k costs k lists of indices and no decoded image.

Position counts samples of one rank since the start of the epoch (of the training in an
iteration loop over an endless sampler).
"""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset

from mmdetxfer.datasets import guarded
from mmdetxfer.engine.random_state import kept_random_state
from mmdetxfer.engine.unreadable_images import (
    ReportingCollate,
    Unreadable,
    bare_batches,
    take_sample,
)
from mmdetxfer.errors import UserError


class PositionedIndex(int):
    """An index into a data set that knows its place in the stream.

    It is an int for everybody but :class:`SeededDataset`, which hands on the sampler's
    own index: an int, or more than that (a ``ChipIndex``).
    """

    original: int
    epoch: int
    position: int

    def __new__(cls, index: int, epoch: int = 0, position: int = 0):
        """Make the index; ``int`` takes one argument only."""
        self = super().__new__(cls, index)
        self.original, self.epoch, self.position = index, epoch, position
        return self

    def __reduce__(self) -> tuple:
        """Travel to the workers with the position."""
        return type(self), (self.original, self.epoch, self.position)


class SeededDataset(Dataset):
    """Makes each sample's random numbers a function of its place in the stream.

    Everything but ``__getitem__`` is the wrapped data set's own: hooks read and set its
    attributes through this wrapper.
    """

    _OWN = ('_inner', '_seed', '_rank')

    def __init__(self, inner: Any, seed: int, rank: int) -> None:
        """Wrap ``inner``, which is handed the sampler's indices."""
        object.__setattr__(self, '_inner', inner)
        object.__setattr__(self, '_seed', seed)
        object.__setattr__(self, '_rank', rank)

    def __getitem__(self, index: int) -> Any:
        """Seed, then take the sample; an index without position is passed on."""
        if not isinstance(index, PositionedIndex):
            return self._inner[index]
        with kept_random_state():
            seed_sample(self._seed, index.epoch, index.position, self._rank)
            return take_sample(self._inner, index.original)

    def __len__(self) -> int:
        """Return the length of the wrapped data set."""
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        """Read an attribute of the wrapped data set."""
        if name in SeededDataset._OWN:
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the wrapped data set, as pipeline-switching hooks do."""
        setattr(self._inner, name, value)

    def __getstate__(self) -> tuple:
        """Travel to spawned workers."""
        return self._inner, self._seed, self._rank

    def __setstate__(self, state: tuple) -> None:
        """Arrive in a spawned worker."""
        self.__init__(*state)


def seed_sample(seed: int, epoch: int, position: int, rank: int) -> None:
    """Seed the three generators for one sample."""
    words = np.random.SeedSequence((seed, epoch, position, rank)).generate_state(4)
    random.seed(int(words[0]) << 32 | int(words[1]))
    np.random.seed(words[2])
    torch.random.default_generator.manual_seed(int(words[3]))


class ReplayBatchSampler:
    """A batch sampler that starts at any batch and positions its indices.

    The wrapped batch sampler decides which samples come; a batch sampler that reorders
    (by aspect ratio, say) is right too, since whole batches are counted.
    """

    def __init__(self, inner: Any, is_endless: bool = False) -> None:
        """Wrap any iterable of lists of indices.

        Args:
            inner: The batch sampler.
            is_endless: Whether to go on with the next epoch when ``inner`` ends, as an
                iteration loop wants; batches are then counted over all epochs.
        """
        self.inner = inner
        self.is_endless = is_endless
        self.epoch = 0
        self.first_batch = 0

    @property
    def sampler(self) -> Any:
        """The wrapped sampler, for the hooks that set its epoch."""
        return getattr(self.inner, 'sampler', None)

    @property
    def batch_size(self) -> int | None:
        """The wrapped batch sampler's batch size."""
        return getattr(self.inner, 'batch_size', None)

    def start_at(self, epoch: int, first_batch: int) -> None:
        """Make the next iteration begin with batch ``first_batch`` of ``epoch``."""
        if self.is_endless and self._has_equal_epochs():
            # Whole epochs are passed by without asking for their indices.
            past, first_batch = divmod(first_batch, len(self.inner))
            epoch += past
        self.epoch, self.first_batch = epoch, first_batch
        self._tell_epoch(epoch)

    def _has_equal_epochs(self) -> bool:
        """Whether every epoch has ``len(self.inner)`` batches and knows its number.

        Endless samplers have a length too, so it is asked of those that are known.
        """
        is_plain = type(self.inner) is BatchSampler and len(self.inner) > 0
        is_default = type(self.sampler) is DefaultSampler
        return is_plain and getattr(self.sampler, 'has_equal_epochs', is_default)

    def __iter__(self) -> Iterator[list[PositionedIndex]]:
        """Yield the remaining batches; the next iteration starts at batch 0 again."""
        epoch, to_skip, self.first_batch = self.epoch, self.first_batch, 0
        while True:
            position = 0
            for batch in self.inner:
                if to_skip > 0:
                    to_skip -= 1
                else:
                    yield [
                        PositionedIndex(index, epoch, position + k)
                        for k, index in enumerate(batch)
                    ]
                position += len(batch)
            if not self.is_endless:
                return
            if position == 0:
                raise UserError(
                    'the training data gives no batch: expected at least one batch of '
                    f'{self.batch_size} images; check the data set and drop_last'
                )
            epoch += 1
            self._tell_epoch(epoch)

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.inner)

    def _tell_epoch(self, epoch: int) -> None:
        for sampler in (self.sampler, self.inner):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)


class ReplayLoader(DataLoader):
    """A ``DataLoader`` over the same data, sampler and workers that can be entered.

    Its workers start with the first batch that is asked for, and no random number of
    the main process is drawn for them.
    """

    def __init__(
        self, loader: DataLoader, seed: int, rank: int, is_endless: bool
    ) -> None:
        """Take over the settings of ``loader``, which is not used any more."""
        super().__init__(
            dataset=SeededDataset(guarded(loader.dataset), seed, rank),
            batch_sampler=ReplayBatchSampler(loader.batch_sampler, is_endless),
            num_workers=loader.num_workers,
            collate_fn=ReportingCollate(loader.collate_fn),
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            generator=torch.Generator().manual_seed(seed),
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
            pin_memory_device=loader.pin_memory_device,
        )
        # Hooks read it; torch itself goes by the batch sampler.
        object.__setattr__(self, 'batch_size', loader.batch_size)
        # What could not be read, of the batches that were handed out.
        self.unreadable: list[Unreadable] = []

    def __iter__(self) -> Iterator:
        """Iterate over the batches; note what could not be read."""
        return bare_batches(super().__iter__(), self.unreadable)

    def batches(self, epoch: int, first_batch: int = 0) -> Iterator:
        """Iterate from a batch on; workers that persist are used again."""
        self.batch_sampler.start_at(epoch, first_batch)
        return iter(self)


def replayable(
    loader: DataLoader, seed: int, rank: int, is_endless: bool = False
) -> ReplayLoader:
    """Return a loader that can be entered at any batch, with the same data.

    Args:
        loader: A map-style loader with a batch sampler.
        seed: The training's seed.
        rank: This process's rank, so that ranks draw different numbers.
        is_endless: See :class:`ReplayBatchSampler`.
    """
    if loader.batch_sampler is None or isinstance(loader.dataset, IterableDataset):
        raise UserError(
            'train_dataloader: expected a map-style data set with a batch_size or a '
            'batch_sampler, since only that can be entered in the middle of an epoch; '
            f'{type(loader.dataset).__name__} came without'
        )
    return ReplayLoader(loader, seed, rank, is_endless)
