"""Newton steps for logistic probes of few unknowns, where L-BFGS takes thousands.

At weak strengths the losses of separable classes are curved along a few directions
alone, along others by many orders of magnitude less. Second derivatives know that, and
a handful of steps reaches what L-BFGS does not.
"""

import torch
from torch import Tensor

# Of the matrix of second derivatives and of what it is the products of; of products.
_MOST_NUMBERS, _MOST_PRODUCTS = 1 << 23, 1 << 33
# Of the penalty: where classes shift together nothing else is curved.
_SHARE_OF_INTERCEPT = 1e-3


def is_small(num_images: int, num_directions: int, num_classes: int) -> bool:
    """Return whether Newton steps cost little beside so many images.

    Args:
        num_images: N.
        num_directions: R.
        num_classes: K.
    """
    num_unknowns = num_classes * (num_directions + 1)
    numbers = num_unknowns * max(num_unknowns, num_images)
    return numbers <= _MOST_NUMBERS and num_unknowns**2 * num_images <= _MOST_PRODUCTS


def newton_step(
    features: Tensor, shares: Tensor, gradient: Tensor, strength: float
) -> Tensor | None:
    """Return (R, K) where to go; None where rounding leaves no curvature.

    Args:
        features: (N, R) in double precision; the last, which has no penalty, is 1
            throughout, or 0 where there is no intercept.
        shares: (N, K) probabilities of the classes.
        gradient: (R, K) of the objective.
        strength: Of the penalty.
    """
    size, num_classes = gradient.shape
    joint = (shares[:, :, None] * features[:, None]).flatten(1)
    curvature = joint.T @ joint
    curvature.neg_()
    for label, own in enumerate(shares.T.unbind()):
        place = slice(label * size, (label + 1) * size)
        # Not the difference of two: of images that are sure nothing would be left.
        spread = (own * (1 - own))[:, None]
        curvature[place, place] = features.T @ (spread * features)
    penalty = torch.full((size,), strength).to(gradient)
    penalty[-1] *= _SHARE_OF_INTERCEPT
    curvature.diagonal().add_(penalty.repeat(num_classes))
    factor, failures = torch.linalg.cholesky_ex(curvature)
    if failures.any():
        return None
    step = torch.cholesky_solve(gradient.T.reshape(-1, 1), factor)
    return -step.reshape(num_classes, size).T
