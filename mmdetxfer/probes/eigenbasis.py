"""Features turned into the directions along which they vary.

Probes of all strengths share the turn. Features are centred and, unless told otherwise,
each divided by its deviation over the training images: layers of any scale then share
one meaning of a strength, and no channel counts by its unit alone. Where there are more
features than images the turn is found among the images (the solution lies in their
span), so that features in a memory map are read in blocks and never copied as a whole.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Of the largest sum of squares: what rounding leaves of a direction without variance.
_NO_SPREAD = 1e-11
# Of a feature's largest value: what rounding leaves of a constant.
_NO_DEVIATION = 1e-6
# Numbers that are read at a time; more of them out of files that lie the other way.
_BLOCK, WIDE_BLOCK = 1 << 22, 1 << 24


@dataclass(frozen=True)
class Eigenbasis:
    """Training features in their eigenbasis: N images, D features, R directions.

    Args:
        features: (M, D) as they were given.
        rows: (N,) the training images among them.
        mean: (D,) of the features, in double precision as all others but ``turned``.
        scale: (D,) what they are divided by.
        coefficients: (D, R) directions, or with more features than images (N, R): what
            of the images' features they are the sums of.
        is_of_images: Whether it is the latter.
        spreads: (R,) sums of squares along the directions, rising.
        turned: (N, R) centred and scaled features along them, in single precision.
    """

    features: Tensor
    rows: Tensor
    mean: Tensor
    scale: Tensor
    coefficients: Tensor
    is_of_images: bool
    spreads: Tensor
    turned: Tensor

    def turn(self, features: np.ndarray | Tensor, rows: object = None) -> Tensor:
        """Return (M, R) centred and scaled features of other images along them.

        Args:
            features: (L, D)
            rows: (M,) numbers of the images among them; all by default.
        """
        own = as_tensor(features)
        picked = torch.arange(len(own)) if rows is None else torch.as_tensor(rows)
        refuse_infinite(own, picked)
        found = torch.empty(len(picked), len(self.spreads)).to(self.turned)
        if not self.is_of_images:
            for block in blocks(len(picked), len(self.mean)):
                part = _scaled(own[picked[block]], self.mean, self.scale)
                found[block] = (part @ self.coefficients).to(found)
            return found
        products = torch.zeros(len(picked), len(self.rows)).to(self.mean)
        width = len(picked) + len(self.rows)
        for columns in blocks(len(self.mean), width, WIDE_BLOCK):
            theirs = self.features[:, columns][self.rows]
            theirs = _scaled(theirs, self.mean, self.scale, columns)
            part = _scaled(own[:, columns][picked], self.mean, self.scale, columns)
            products.addmm_(part, theirs.T)
        return (products @ self.coefficients).to(found)

    def weights(self, along: Tensor) -> Tensor:
        """Return (D, K) weights of the scaled features out of (R, K) of directions."""
        along = self.coefficients @ along.to(self.coefficients)
        if not self.is_of_images:
            return along
        found = torch.empty(len(self.mean), along.shape[1]).to(along)
        for columns in blocks(len(self.mean), len(self.rows), WIDE_BLOCK):
            part = self.features[:, columns][self.rows]
            found[columns] = _scaled(part, self.mean, self.scale, columns).T @ along
        return found


def eigenbasis(
    features: np.ndarray | Tensor,
    rows: np.ndarray | Tensor | None = None,
    is_standardised: bool = True,
    device: str | torch.device = 'cpu',
) -> Eigenbasis:
    """Centre features, scale them, and turn them into their eigenbasis.

    Args:
        features: (M, D) of images.
        rows: (N,) numbers of the training images among them; all by default.
        is_standardised: Whether each is divided by its deviation; constant ones count
            as 0 either way.
        device: Where it is computed; the features stay where they are.
    """
    own = as_tensor(features)
    if own.ndim != 2 or min(own.shape) == 0:
        raise ValueError(f'features: expected (N, D), got {tuple(own.shape)}')
    picked = torch.arange(len(own)) if rows is None else torch.as_tensor(rows)
    num_images, num_features = len(picked), own.shape[1]
    mean, deviation = _moments(own, picked, device)
    if not (deviation > 0).any():
        raise ValueError(
            f'features: expected some that vary over the {num_images} images, all '
            f'{num_features} are constant'
        )
    # What is constant is divided by infinity.
    scale = torch.where(deviation > 0, deviation, torch.inf)
    if not is_standardised:
        scale = torch.where(deviation > 0, 1.0, torch.inf).to(deviation)
    if num_features <= num_images:
        return _of_features(own, picked, mean, scale)
    return _of_images(own, picked, mean, scale)


def _of_features(own: Tensor, rows: Tensor, mean: Tensor, scale: Tensor) -> Eigenbasis:
    products = torch.zeros(len(mean), len(mean)).to(mean)
    for block in blocks(len(rows), len(mean)):
        part = _scaled(own[rows[block]], mean, scale)
        products.addmm_(part.T, part)
    spreads, directions = torch.linalg.eigh(products)
    del products
    is_kept = spreads > _NO_SPREAD * spreads[-1]
    directions, spreads = directions[:, is_kept], spreads[is_kept]
    turned = torch.empty(len(rows), len(spreads), device=mean.device)
    for block in blocks(len(rows), len(mean)):
        part = _scaled(own[rows[block]], mean, scale)
        turned[block] = (part @ directions).float()
    return Eigenbasis(own, rows, mean, scale, directions, False, spreads, turned)


def _of_images(own: Tensor, rows: Tensor, mean: Tensor, scale: Tensor) -> Eigenbasis:
    products = torch.zeros(len(rows), len(rows)).to(mean)
    for columns in blocks(len(mean), len(rows), WIDE_BLOCK):
        part = _scaled(own[:, columns][rows], mean, scale, columns)
        products.addmm_(part, part.T)
    spreads, images = torch.linalg.eigh(products)
    del products
    is_kept = spreads > _NO_SPREAD * spreads[-1]
    images, spreads = images[:, is_kept], spreads[is_kept]
    turned = (images * spreads.sqrt()).float()
    images = images / spreads.sqrt()
    return Eigenbasis(own, rows, mean, scale, images, True, spreads, turned)


def _moments(
    own: Tensor, rows: Tensor, device: str | torch.device
) -> tuple[Tensor, Tensor]:
    """Return the means and deviations; 0 where rounding is all that varies."""
    sums = torch.zeros(own.shape[1], dtype=torch.float64, device=device)
    largest, squares = torch.zeros_like(sums), torch.zeros_like(sums)
    refuse_infinite(own, rows)
    for block in blocks(len(rows), len(sums)):
        part = own[rows[block]].to(sums)
        sums += part.sum(0)
        largest = torch.maximum(largest, part.abs().amax(0))
    mean = sums / len(rows)
    for block in blocks(len(rows), len(sums)):
        squares += (own[rows[block]].to(sums) - mean).pow(2).sum(0)
    deviation = (squares / len(rows)).sqrt()
    return mean, deviation * (deviation > _NO_DEVIATION * largest)


def as_tensor(features: np.ndarray | Tensor) -> Tensor:
    """Return features as a tensor without a copy; nobody writes into it."""
    with warnings.catch_warnings():
        # Of arrays in files that are open for reading alone.
        warnings.filterwarnings('ignore', message='The given NumPy array is not writ')
        return torch.as_tensor(features)


def refuse_infinite(own: Tensor, rows: Tensor) -> None:
    """Name the first of some rows that has numbers without end, or none at all."""
    for block in blocks(len(rows), own.shape[1]):
        is_bad = ~torch.isfinite(own[rows[block]]).all(1)
        if is_bad.any():
            first = rows[block][int(is_bad.int().argmax())]
            raise ValueError(
                f'features: expected finite numbers, row {int(first)} has others'
            )


def _scaled(
    part: Tensor, mean: Tensor, scale: Tensor, columns: slice = slice(None)
) -> Tensor:
    return (part.to(mean) - mean[columns]) / scale[columns]


def blocks(length: int, width: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of a length, of as many rows as a block has numbers."""
    step = max(1, (size or _BLOCK) // width)
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
