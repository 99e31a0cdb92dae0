"""Random numbers without a state: a hash of (seed, epoch, image, ...).

The finaliser of splitmix64 (Steele, Lea and Flood 2014) over a running state. The chips
of an image in an epoch so depend on nothing else: no worker, no rank, no order. The
same arithmetic stands in ``kernels.py`` for numba.
"""

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)


def mix(values: np.ndarray) -> np.ndarray:
    """Return uint64 values with every bit depending on every bit."""
    values = (values ^ (values >> np.uint64(30))) * _FACTOR_1
    values = (values ^ (values >> np.uint64(27))) * _FACTOR_2
    return values ^ (values >> np.uint64(31))


def hash_counters(*parts: np.ndarray | int) -> np.ndarray:
    """Return one uint64 for each element of the broadcast parts, in their order."""
    arrays = np.broadcast_arrays(*(np.asarray(p, dtype=np.uint64) for p in parts))
    state = np.zeros(arrays[0].shape or (1,), dtype=np.uint64)
    for array in arrays:
        state = mix(state + _STEP + mix(array.reshape(state.shape)))
    return state


def draws(key: int, count: int) -> np.ndarray:
    """Return ``count`` uint64 values of the stream that a key names (splitmix64's)."""
    return mix(np.uint64(key) + _STEP * np.arange(1, count + 1, dtype=np.uint64))


def image_keys(image_ids: Sequence[Hashable]) -> np.ndarray:
    """Return a uint64 for each image id, the same on every machine."""
    digests = (
        hashlib.blake2b(str(one).encode(), digest_size=8).digest() for one in image_ids
    )
    return np.frombuffer(b''.join(digests), dtype='<u8').astype(np.uint64)
