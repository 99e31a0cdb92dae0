"""Negative chips: windows full of proposals that the positive chips leave uncovered.

They teach the background that looks like objects. A window is worth it with many
uncovered boxes, more of them at the finest scale.
"""

import numpy as np

from mmdetxfer.chips.counter_hash import draws

# A negative chip holds more boxes than this: at the finest scale, at the others.
MORE_THAN_FINEST, MORE_THAN = 25, 10


def is_worth_keeping(num_boxes: np.ndarray, scale_index: int) -> np.ndarray:
    """Return (C,) whether chips with so many uncovered boxes become negative chips."""
    return num_boxes > (MORE_THAN_FINEST if scale_index == 0 else MORE_THAN)


def draw_negatives(pool_size: int, num_drawn: int, key: int) -> np.ndarray:
    """Return which negative chips of an image's pool are used in an epoch.

    Args:
        pool_size: Negative chips over all scales.
        num_drawn: How many are drawn at most.
        key: The hash that decides.
    """
    return np.argsort(draws(key, pool_size), kind='stable')[:num_drawn]
