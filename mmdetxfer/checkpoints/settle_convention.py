"""Decides a run's input convention and writes it into its config.

Called on the config before the Runner is built, by training and test alike. The weights
decide: what a checkpoint carries, or what is published with its address, goes into the
model's ``data_preprocessor`` and into the colour type of the pipelines. The user's own
``input_convention`` is needed where the weights say nothing and refused where it
disagrees; ``input_convention='from_config'`` says that the config's preprocessor is
right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmdetxfer.checkpoints.conventions import (
    InputConvention,
    convention_of_address,
    convention_of_preprocessor,
    parse_convention,
)
from mmdetxfer.errors import UserError

FROM_CONFIG = 'from_config'


@dataclass(frozen=True)
class SettledConvention:
    """The convention of a run, where it came from, and what it replaced."""

    convention: InputConvention | None
    source: str
    replaced: tuple[str, ...]

    def __str__(self) -> str:
        """Return the one line that a run prints."""
        changes = f'; replaced {", ".join(self.replaced)}' if self.replaced else ''
        return f'input convention: {self.convention} ({self.source}){changes}'


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
    own = None if preprocessor is None else convention_of_preprocessor(preprocessor)
    carried, source = _carried_by_weights(cfg, read)
    stated = _stated(cfg, own)
    if carried and stated and not carried.agrees_with(stated):
        raise UserError(
            f'input_convention: the config states {stated}, but {source} was trained '
            f'with {carried}; remove the statement or name other weights'
        )
    settled = carried or stated
    if settled is None and source:
        raise UserError(
            f'the input convention of {source} is not known; state it in the config: '
            "input_convention = 'torchvision' (or 'caffe', 'detectron2', 'pycls', "
            "'sniper_mxnet', 'timm_half', a dict), or 'from_config' if the config's "
            f'data_preprocessor ({own}) is the one the weights were trained with'
        )
    if settled is None:
        settled, where = own, 'no weights given: the config decides'
    else:
        where = f'of {source}' if carried else 'stated in the config'
    replaced = () if settled is None else tuple(_write(cfg, preprocessor, own, settled))
    cfg.input_convention = None if settled is None else settled.to_dict()
    return SettledConvention(settled, where, replaced)


def weights_named_in(cfg: Any) -> Iterator[str]:
    """Yield ``load_from``, or else the files that ``Pretrained`` init entries name."""
    if cfg.get('load_from'):
        yield cfg.load_from
        return
    seen = set()
    for entry in _dicts_in(cfg.get('model', {})):
        init = entry.get('init_cfg')
        for one in init if isinstance(init, (list, tuple)) else [init]:
            is_file = isinstance(one, dict) and one.get('type') == 'Pretrained'
            if is_file and one.get('checkpoint') and one['checkpoint'] not in seen:
                seen.add(one['checkpoint'])
                yield one['checkpoint']


def _carried_by_weights(cfg: Any, read: Any) -> tuple[InputConvention | None, str]:
    """Return the weights' convention (None if unknown) and the name of the weights."""
    known: dict[str, InputConvention] = {}
    unknown = []
    for address in weights_named_in(cfg):
        convention = convention_of_address(address)
        if convention is None:
            meta = read(address).get('meta') or {}
            carried = meta.get('input_convention')
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
    return None, unknown[0] if unknown else ''


def _stated(cfg: Any, own: InputConvention | None) -> InputConvention | None:
    stated = cfg.get('input_convention')
    if stated == FROM_CONFIG:
        if own is None:
            raise UserError(
                "input_convention='from_config' needs a data_preprocessor with mean "
                'and std of three values in the config, there is none'
            )
        return own
    return None if stated is None else parse_convention(stated)


def _preprocessor_of(cfg: Any) -> Any:
    in_model = cfg.get('model', {}).get('data_preprocessor')
    return cfg.get('data_preprocessor') if in_model is None else in_model


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
        yield f'data_preprocessor ({own})'
        preprocessor['mean'], preprocessor['std'] = new.mean_255, new.std_255
        is_rgb = new.channel_order == 'rgb'
        if 'to_rgb' in preprocessor or cfg.get('default_scope') == 'mmpretrain':
            preprocessor['to_rgb'] = is_rgb
        else:
            preprocessor['bgr_to_rgb'] = is_rgb
            preprocessor.pop('rgb_to_bgr', None)
    for entry in _dicts_in(cfg):
        if str(entry.get('type')).endswith('LoadImageFromFile'):
            colour = entry.get('color_type', 'color')
            if colour != 'color':
                yield f'color_type={colour!r} of a pipeline'
                entry['color_type'] = 'color'


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
