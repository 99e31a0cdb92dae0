"""Decides a run's input convention and writes it into its config.

Called on the config before the Runner is built, by training and test alike. The weights
decide: what a checkpoint carries, or what is published with its address, goes into the
model's ``data_preprocessor`` and into the colour type of the pipelines. The user's own
``input_convention`` is needed where the weights say nothing and refused where it
disagrees; ``input_convention='from_config'`` says that the config's preprocessor is
right. A config that prepares its input otherwise than with three means and stds (one
channel, a ``Normalize`` step) is left alone, and says 'from_config' in its checkpoints:
they fit configs of that kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmdetxfer.checkpoints.convention_texts import is_normalising_type
from mmdetxfer.checkpoints.conventions import (
    NAMED_CONVENTIONS,
    InputConvention,
    convention_of_preprocessor,
    innermost_preprocessor,
    parse_convention,
)
from mmdetxfer.checkpoints.known_addresses import convention_of_address
from mmdetxfer.errors import UserError

FROM_CONFIG = 'from_config'
# OpenCV's ways to give three channels in BGR order.
_BGR_COLOUR_TYPES = ('color', 'color_ignore_orientation')
_NO_WEIGHTS = 'no weights given: the config decides'
_PRETRAINED = ('Pretrained', 'PretrainedInit')


@dataclass(frozen=True)
class SettledConvention:
    """The convention of a run, where it came from, and what it replaced."""

    convention: InputConvention | None
    source: str
    replaced: tuple[str, ...]

    def __str__(self) -> str:
        """Return the one line that a run prints."""
        changes = f'; replaced {", ".join(self.replaced)}' if self.replaced else ''
        convention = self.convention or "the config's own preprocessing"
        return f'input convention: {convention} ({self.source}){changes}'


def settle_convention(cfg: Any, read: Any) -> SettledConvention:
    """Settle the convention of ``cfg`` and write it into ``cfg``.

    Args:
        cfg: An mmengine ``Config``; its preprocessor, pipelines and
            ``input_convention`` are written.
        read: A function from an address of weights to the checkpoint's dict.

    Returns:
        What was decided, to be printed.
    """
    preprocessor = _preprocessor_of(cfg)
    own = None
    if preprocessor is not None and not _has_normalising_step(cfg):
        own = convention_of_preprocessor(preprocessor)
    carried, source = _carried_by_weights(cfg, read)
    stated = _stated(cfg, own)
    is_left_to_config = FROM_CONFIG in (carried, cfg.get('input_convention'))
    carried = None if carried == FROM_CONFIG else carried
    if carried and stated and not carried.agrees_with(stated):
        raise UserError(
            f'input_convention: the config states {stated}, but {source} was trained '
            f'with {carried}; remove the statement or name other weights'
        )
    settled = carried or stated
    if settled is None and source and not (own is None and is_left_to_config):
        raise UserError(
            f'the input convention of {source} is not known; state it in the config, '
            f'input_convention = one of {", ".join(map(repr, NAMED_CONVENTIONS))}, a '
            "dict, or 'from_config' if the config's data_preprocessor "
            f'({own or "none"}) is the one that the weights were trained with'
        )
    if settled is None:
        where = f'of {source}, left to the config' if source else _NO_WEIGHTS
        settled = own
    else:
        where = f'of {source}' if carried else 'stated in the config'
    replaced: tuple = ()
    if settled is not None:
        replaced = tuple(dict.fromkeys(_write(cfg, preprocessor, own, settled)))
    cfg.input_convention = FROM_CONFIG if settled is None else settled.to_dict()
    return SettledConvention(settled, where, replaced)


def weights_named_in(cfg: Any) -> Iterator[str]:
    """Yield ``load_from``, or else the files that the parts of the model start from.

    They stand in ``init_cfg=dict(type='Pretrained', checkpoint=...)`` or, in mmseg and
    mmpretrain, in ``pretrained=...``. ``pretrained=True`` (timm and others that know
    where their weights lie) comes as ``TYPE(pretrained=True)``.
    """
    if cfg.get('load_from'):
        yield cfg.load_from
        return
    named: dict[str, None] = {}
    for entry in _dicts_in(cfg.get('model', {})):
        init = entry.get('init_cfg')
        for one in init if isinstance(init, (list, tuple)) else [init]:
            if isinstance(one, dict) and _name_of_type(one) in _PRETRAINED:
                named[one.get('checkpoint') or ''] = None
        pretrained = entry.get('pretrained')
        if pretrained is True:
            pretrained = f'{_name_of_type(entry)}(pretrained=True)'
        if isinstance(pretrained, str):
            named[pretrained] = None
    yield from filter(None, named)


def _name_of_type(entry: Any) -> str:
    """Return an entry's type without its scope; the type may be a class."""
    kind = entry.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rsplit('.', 1)[-1]


def _carried_by_weights(cfg: Any, read: Any) -> tuple[Any, str]:
    """Return the weights' convention and the name of the weights.

    The convention is None if unknown, 'from_config' if their config's was not plain.
    """
    known: dict[str, InputConvention] = {}
    unknown, left_to_config = [], []
    for address in weights_named_in(cfg):
        convention = convention_of_address(address)
        if convention is None and not address.endswith('(pretrained=True)'):
            meta = read(address).get('meta')
            carried = meta.get('input_convention') if isinstance(meta, dict) else None
            if carried == FROM_CONFIG:
                left_to_config.append(address)
                continue
            convention = None if carried is None else parse_convention(carried)
        if convention is None:
            unknown.append(address)
        else:
            known[address] = convention
    for address, convention in known.items():
        first = next(iter(known))
        if not convention.agrees_with(known[first]):
            raise UserError(
                f'input_convention: {first} wants {known[first]}, but {address} wants '
                f'{convention}; one network cannot have both'
            )
    if known:
        first = next(iter(known))
        return known[first], first
    if unknown or not left_to_config:
        return None, unknown[0] if unknown else ''
    return FROM_CONFIG, left_to_config[0]


def _stated(cfg: Any, own: InputConvention | None) -> InputConvention | None:
    stated = cfg.get('input_convention')
    if stated == FROM_CONFIG:
        return own
    return None if stated is None else parse_convention(stated)


def _preprocessor_of(cfg: Any) -> Any:
    """Return the dict that holds mean and std, None if the config has none."""
    in_model = cfg.get('model', {}).get('data_preprocessor')
    preprocessor = cfg.get('data_preprocessor') if in_model is None else in_model
    return None if preprocessor is None else innermost_preprocessor(preprocessor)


def _has_normalising_step(cfg: Any) -> bool:
    return any(is_normalising_type(_name_of_type(entry)) for entry in _dicts_in(cfg))


def _write(
    cfg: Any, preprocessor: Any, own: InputConvention | None, new: InputConvention
) -> Iterator[str]:
    """Write the convention where the hosts read it; yield what was replaced."""
    if own is None or not own.agrees_with(new):
        if preprocessor is None:
            raise UserError(
                'the config has no data_preprocessor to hold the input convention '
                f'{new}; add one to its model'
            )
        if _has_normalising_step(cfg):
            raise UserError(
                'a pipeline of the config has a Normalize step, which would come on '
                f'top of the input convention {new}; remove it: data_preprocessor '
                'normalises'
            )
        yield f'data_preprocessor ({own or "of another kind"})'
        _write_preprocessor(preprocessor, new, cfg.get('default_scope'))
    for entry in _dicts_in(cfg):
        if _name_of_type(entry) == 'LoadImageFromFile':
            colour = entry.get('color_type', 'color')
            if colour not in _BGR_COLOUR_TYPES:
                yield f'color_type={colour!r} of a pipeline'
                entry['color_type'] = 'color'


def _write_preprocessor(preprocessor: Any, new: InputConvention, scope: Any) -> None:
    preprocessor['mean'], preprocessor['std'] = new.mean_255, new.std_255
    for word in ('to_rgb', 'bgr_to_rgb', 'rgb_to_bgr'):
        is_hosts_word = word in preprocessor
        preprocessor.pop(word, None)
        if is_hosts_word and word != 'rgb_to_bgr':
            scope = 'mmpretrain' if word == 'to_rgb' else 'mmdet'
    word = 'to_rgb' if scope == 'mmpretrain' else 'bgr_to_rgb'
    preprocessor[word] = new.channel_order == 'rgb'


def _dicts_in(node: Any) -> Iterator[dict]:
    """Yield every dict in a nested config, outermost first."""
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _dicts_in(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _dicts_in(value)
    elif hasattr(node, '_cfg_dict'):
        yield from _dicts_in(node._cfg_dict)
