"""Input conventions: what a set of weights expects its input images to look like.

The convention belongs to the weights, not to the target data (protocol: 'A candidate').
Mean and std are stated for the value range given with them: 255 for uint8 pixels, 1 for
pixels divided by 255. The hosts' loaders give BGR pixels in 0..255, and their
preprocessors normalise in that range.
"""

import ast
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mmdetxfer.errors import UserError


@dataclass(frozen=True)
class InputConvention:
    """Channel order, mean and std (in the value range), and the size expected.

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
            raise UserError(
                "input_convention: channel_order should be 'rgb' or 'bgr', it is "
                f'{self.channel_order!r}'
            )
        for part in ('mean', 'std'):
            values = getattr(self, part)
            if len(values) != 3:
                raise UserError(
                    f'input_convention: {part} should have 3 values, it is {values!r}'
                )
            object.__setattr__(self, part, tuple(float(v) for v in values))
        if self.value_range not in (1, 255):
            raise UserError(
                'input_convention: value_range should be 1 or 255, it is '
                f'{self.value_range!r}'
            )
        object.__setattr__(self, 'value_range', float(self.value_range))

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


_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
_UNIT = (1.0, 1.0, 1.0)

NAMED_CONVENTIONS: dict[str, InputConvention] = {
    'torchvision': InputConvention('rgb', _IMAGENET_MEAN, _IMAGENET_STD),
    'caffe': InputConvention('bgr', (102.9801, 115.9465, 122.7717), _UNIT),
    'detectron2': InputConvention('bgr', _IMAGENET_MEAN[::-1], _UNIT),
    'pycls': InputConvention('bgr', _IMAGENET_MEAN[::-1], _IMAGENET_STD[::-1]),
    'sniper_mxnet': InputConvention('rgb', (123.68, 116.779, 103.939), _UNIT),
    'timm_half': InputConvention('rgb', (0.5,) * 3, (0.5,) * 3, value_range=1),
}

# Addresses whose convention is known from the host configs that start from them; any
# other must be stated by the user.
_KNOWN_ADDRESSES = (
    ('torchvision://', 'torchvision'),
    ('modelzoo://', 'torchvision'),
    ('mmcls://', 'torchvision'),
    ('open-mmlab://res2net', 'torchvision'),
    ('open-mmlab://resnext', 'torchvision'),
    ('open-mmlab://msra/hrnet', 'torchvision'),
    ('open-mmlab://jhu/', 'torchvision'),
    ('open-mmlab://regnetx', 'pycls'),
    ('open-mmlab://detectron2/resnext', 'pycls'),
    ('open-mmlab://detectron2/resnet', 'detectron2'),
    ('open-mmlab://detectron/resnet50_caffe', 'caffe'),
    ('open-mmlab://detectron/resnet101_caffe', 'caffe'),
    ('open-mmlab://detectron/resnet', 'detectron2'),
)


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
        f'channel_order, mean, std and optionally value_range, size_px; it is '
        f'{stated!r}'
    )


def convention_of_address(address: str) -> InputConvention | None:
    """Return the convention of a published address, None if it is not known."""
    for prefix, name in _KNOWN_ADDRESSES:
        if address.startswith(prefix):
            return NAMED_CONVENTIONS[name]
    return None


def convention_of_preprocessor(preprocessor: Mapping) -> InputConvention | None:
    """Read the convention that a host's ``data_preprocessor`` config gives its model.

    mmdet and mmseg say ``bgr_to_rgb``, mmpretrain says ``to_rgb``; the loaders give
    BGR. Without mean or std there is no normalisation: mean 0, std 1.
    """
    mean, std = preprocessor.get('mean'), preprocessor.get('std')
    mean = [0.0] * 3 if mean is None else list(mean)
    std = [1.0] * 3 if std is None else list(std)
    if len(mean) != 3 or len(std) != 3:
        return None
    is_rgb = bool(preprocessor.get('bgr_to_rgb') or preprocessor.get('to_rgb'))
    return InputConvention('rgb' if is_rgb else 'bgr', tuple(mean), tuple(std))


def convention_in_config_text(text: str) -> InputConvention | None:
    """Read the convention out of a config's text without executing it.

    The hosts store the config's text in every checkpoint. Only literals and ``dict``
    calls are understood; anything else gives None.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    found = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id in ('model', 'data_preprocessor'):
                found[node.targets[0].id] = node.value
    preprocessor = _keyword(found.get('model'), 'data_preprocessor')
    preprocessor = preprocessor or found.get('data_preprocessor')
    plain = _literal(preprocessor) if preprocessor is not None else None
    if not isinstance(plain, dict):
        return None
    try:
        return convention_of_preprocessor(plain)
    except (UserError, TypeError, ValueError):
        return None


def _keyword(node: ast.expr | None, name: str) -> ast.expr | None:
    """Return the value of a key in a ``dict(...)`` call or a ``{...}`` display."""
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
        return next((kw.value for kw in node.keywords if kw.arg == name), None)
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                return value
    return None


def _literal(node: ast.expr) -> Any:
    """Evaluate literals and ``dict`` calls of literals; anything else is None."""
    if isinstance(node, ast.Call):
        if getattr(node.func, 'id', None) != 'dict' or node.args:
            return None
        return {kw.arg: _literal(kw.value) for kw in node.keywords if kw.arg}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
