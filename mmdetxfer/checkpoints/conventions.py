"""Input conventions: what a set of weights expects its input images to look like.

The convention belongs to the weights, not to the target data (protocol: 'A candidate').
Mean and std are stated for the value range given with them: 255 for uint8 pixels, 1 for
pixels divided by 255. The hosts' loaders give BGR pixels in 0..255, and their
preprocessors normalise in that range.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mmdetxfer.errors import UserError


@dataclass(frozen=True)
class InputConvention:
    """Channel order, mean and std (in the value range), and the size expected.

    The size is information: ``agrees_with`` compares what the network is fed a pixel.

    Args:
        channel_order: Order of the channels that reach the network.
        mean: Three values in ``channel_order``.
        std: Three values in ``channel_order``.
        value_range: 255.0 or 1.0: the largest pixel value that mean and std refer to.
        size_px: Side of the input that the weights expect; None if any.
    """

    channel_order: Literal['rgb', 'bgr']
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    value_range: float = 255.0
    size_px: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is not a convention, naming the part that is wrong."""
        if self.channel_order not in ('rgb', 'bgr'):
            raise _wrong_part('channel_order', "'rgb' or 'bgr'", self.channel_order)
        for part in ('mean', 'std'):
            values = getattr(self, part)
            if not _are_three_numbers(values):
                raise _wrong_part(part, '3 numbers', values)
            object.__setattr__(self, part, tuple(float(v) for v in values))
        if min(self.std) <= 0:
            raise _wrong_part('std', '3 numbers above 0', self.std)
        if not _is_number(self.value_range) or self.value_range not in (1, 255):
            raise _wrong_part('value_range', '1 or 255', self.value_range)
        object.__setattr__(self, 'value_range', float(self.value_range))
        if self.size_px is not None:
            if type(self.size_px) is not int or self.size_px <= 0:
                raise _wrong_part('size_px', 'None or pixels', self.size_px)

    def to_dict(self) -> dict:
        """Return plain data, as it is stored in checkpoints and sidecars."""
        plain = asdict(self)
        return {**plain, 'mean': list(self.mean), 'std': list(self.std)}

    @property
    def mean_255(self) -> list[float]:
        """Mean for pixels in 0..255."""
        return [value * 255.0 / self.value_range for value in self.mean]

    @property
    def std_255(self) -> list[float]:
        """Std for pixels in 0..255."""
        return [value * 255.0 / self.value_range for value in self.std]

    def agrees_with(self, other: 'InputConvention') -> bool:
        """Whether both give the network the same numbers (to 1e-3 of a grey level)."""
        pairs = zip(
            self.mean_255 + self.std_255, other.mean_255 + other.std_255, strict=True
        )
        return self.channel_order == other.channel_order and all(
            abs(mine - theirs) <= 1e-3 for mine, theirs in pairs
        )

    def __str__(self) -> str:
        """Return one line for logs and errors."""
        numbers = [
            '/'.join(f'{value:.6g}' for value in values)
            for values in (self.mean, self.std)
        ]
        return (
            f'{self.channel_order.upper()} mean {numbers[0]} std {numbers[1]} '
            f'(range 0..{self.value_range:g})'
        )


def _are_three_numbers(values: Any) -> bool:
    is_list = isinstance(values, (list, tuple)) and len(values) == 3
    return is_list and all(_is_number(value) for value in values)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _wrong_part(part: str, expected: str, came: Any) -> UserError:
    return UserError(
        f'input_convention: {part} should be {expected}, it is {came!r:.200}'
    )


_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
_UNIT = (1.0, 1.0, 1.0)

NAMED_CONVENTIONS: dict[str, InputConvention] = {
    'torchvision': InputConvention('rgb', _IMAGENET_MEAN, _IMAGENET_STD),
    'caffe': InputConvention('bgr', (102.9801, 115.9465, 122.7717), _UNIT),
    'vgg_caffe': InputConvention('rgb', _IMAGENET_MEAN, _UNIT),
    'detectron2': InputConvention('bgr', _IMAGENET_MEAN[::-1], _UNIT),
    'pycls': InputConvention('bgr', _IMAGENET_MEAN[::-1], _IMAGENET_STD[::-1]),
    'darknet': InputConvention('rgb', (0.0,) * 3, _UNIT, value_range=1),
    'sniper_mxnet': InputConvention('rgb', (123.68, 116.779, 103.939), _UNIT),
    'timm_half': InputConvention('rgb', (0.5,) * 3, (0.5,) * 3, value_range=1),
}


def parse_convention(stated: Any) -> InputConvention:
    """Turn a name or a dict, as a config or a checkpoint states it, into a convention.

    Args:
        stated: One of ``NAMED_CONVENTIONS`` or a dict of :class:`InputConvention`'s
            fields.
    """
    if isinstance(stated, InputConvention):
        return stated
    if isinstance(stated, str) and stated in NAMED_CONVENTIONS:
        return NAMED_CONVENTIONS[stated]
    if isinstance(stated, Mapping):
        fields = set(InputConvention.__dataclass_fields__)
        if {'channel_order', 'mean', 'std'} <= set(stated) <= fields:
            return InputConvention(**stated)
    raise UserError(
        f'input_convention: expected one of {sorted(NAMED_CONVENTIONS)} or a dict with '
        'channel_order, mean, std and optionally value_range, size_px; it is '
        f'{stated!r:.200}'
    )


def convention_of_preprocessor(preprocessor: Mapping) -> InputConvention | None:
    """Read the convention that a host's ``data_preprocessor`` config gives its model.

    mmdet and mmseg say ``bgr_to_rgb``, mmpretrain says ``to_rgb``; the loaders give
    BGR. Without mean and std there is no normalisation: mean 0, std 1. None if it is
    another kind of input (one channel, seven bands) or cannot be read.
    """
    preprocessor = innermost_preprocessor(preprocessor)
    mean, std = preprocessor.get('mean'), preprocessor.get('std')
    mean = [0.0] * 3 if mean is None else mean
    std = [1.0] * 3 if std is None else std
    if not (_are_three_numbers(mean) and _are_three_numbers(std)) or min(std) <= 0:
        return None
    # The host swaps the channels for either word.
    swaps = (preprocessor.get(key) for key in ('bgr_to_rgb', 'rgb_to_bgr', 'to_rgb'))
    return InputConvention('rgb' if any(swaps) else 'bgr', tuple(mean), tuple(std))


def innermost_preprocessor(preprocessor: Any) -> Any:
    """Return the preprocessor inside mmdet's multi-branch ones, else the same."""
    while isinstance(preprocessor.get('data_preprocessor'), Mapping):
        preprocessor = preprocessor['data_preprocessor']
    return preprocessor
