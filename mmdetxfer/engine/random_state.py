"""The random state of a process, as plain data, and a guard that keeps it.

Three generators decide a training in its main process: python's, numpy's and torch's
(and CUDA's on a GPU). The samples have states of their own, see ``replay.py``.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def random_state() -> dict:
    """Return the state of all generators as tensors and plain values."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    state = {
        'python': random.getstate(),
        'numpy': (
            name,
            torch.from_numpy(keys.astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Put all generators into a state that :func:`random_state` returned."""
    version, keys, gauss = state['python']
    random.setstate((version, tuple(keys), gauss))
    name, keys, position, has_gauss, cached = state['numpy']
    words = keys.cpu().numpy().astype(np.uint32)
    np.random.set_state((name, words, position, has_gauss, cached))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@contextmanager
def kept_random_state() -> Iterator[dict]:
    """Leave the generators as they were, whatever the block draws.

    Yields:
        The state at the entrance.
    """
    state = random_state()
    try:
        yield state
    finally:
        set_random_state(state)
