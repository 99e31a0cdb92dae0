"""Transfers named parts of a checkpoint, and proves what was loaded.

Users of the hosts read shape warnings and hope. Here the parts to keep and to begin
anew are named, everything else is an error, and a receipt says of each part what was
loaded, bit for bit, and which weights no training has moved.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch import Tensor, nn

from mmdetxfer.checkpoints.receipt import (
    CHANGED,
    CONVERTED,
    FROM_INIT,
    LOADED,
    NOT_IN_MODEL,
    Selection,
    joint_hash,
    loaded_share,
    matches,
    parts_of,
    select,
    statuses_after,
    tensor_hash,
    unused_parts,
)
from mmdetxfer.engine.freeze_hook import FreezeHook, frozen_by_config
from mmdetxfer.engine.part_files import (
    file_hash,
    files_of_parts,
    selection_of_parts,
    tensors_of_part_files,
)
from mmdetxfer.errors import CheckpointError
from mmdetxfer.registry import HOOKS
from mmdetxfer.text_files import write_text_atomically

RECEIPT = 'transfer_receipt.json'


@HOOKS.register_module()
class TransferHook(Hook):
    """Loads the parts that are named, and writes ``transfer_receipt.json``.

    In a config, with ``load_from``::

        custom_hooks = [
            dict(
                type='mmdetxfer.TransferHook',
                keep=['backbone', 'neck', 'rpn_head', 'roi_head'],
                reinit=['roi_head.bbox_head'],
            )
        ]

    It acts in a training that begins, never in a test and never when one is resumed.
    Where parts load files by themselves (``init_cfg=dict(type='Pretrained')``) it gives
    the same proof.

    Args:
        keep: Parts to load: dotted names or patterns with wildcards.
        reinit: Parts among them that begin anew.
        prefix: Put before the file's names, for a file of one part of a model, such as
            ``backbone.`` for the weights of a backbone alone.
        min_loaded: The least share of the kept parts' elements that must be loaded.
    """

    # Ahead of EMAHook, which copies what is about to be loaded.
    priority = 'HIGH'
    # The Runner leaves the question whether a checkpoint fits to this hook.
    proves_loading = True

    def __init__(
        self,
        keep: Sequence[str],
        reinit: Sequence[str] = (),
        prefix: str = '',
        min_loaded: float = 0.9,
    ) -> None:
        """Take the names."""
        if isinstance(keep, str) or isinstance(reinit, str) or not keep:
            raise CheckpointError(
                f'TransferHook: expected lists of parts, got keep={keep!r}, '
                f'reinit={reinit!r}'
            )
        self.keep, self.reinit = tuple(keep), tuple(reinit)
        self.prefix, self.min_loaded = prefix, min_loaded
        self._before: dict[str, str] | None = None
        self._selection: Selection | None = None
        self._before_loading: dict[str, str] = {}

    def before_run(self, runner: Any) -> None:
        """Note how every tensor is before anything is initialised."""
        is_beginning = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        self._before = _hashes(_unwrapped(runner.model)) if is_beginning else None

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Leave in the checkpoint what is to be loaded."""
        if self._before is None:
            return
        model = _unwrapped(runner.model)
        state = {
            self.prefix + name.removeprefix('module.'): tensor
            for name, tensor in checkpoint.get('state_dict', checkpoint).items()
            if isinstance(tensor, Tensor)
        }
        self._selection = select(
            state, model.state_dict(), self.keep, self.reinit, runner._load_from
        )
        kept = OrderedDict(self._selection.kept)
        # Some modules resize or rename what a file holds; the others leave it.
        for name, tensor in state.items():
            is_other = name in self._selection.other_shape
            if is_other or self._selection.unused.get(name) == NOT_IN_MODEL:
                kept[name] = tensor
        # By these modules know how old the names of a file are.
        versions = getattr(checkpoint.get('state_dict'), '_metadata', None) or {}
        kept._metadata = {
            f'{self.prefix}{name.removeprefix("module.")}'.rstrip('.'): version
            for name, version in versions.items()
        }
        checkpoint['state_dict'] = kept
        self._before_loading = _hashes(model)

    def before_train(self, runner: Any) -> None:
        """Compare, write the receipt, and stop if too little was loaded."""
        if self._before is None:
            return
        model = _unwrapped(runner.model)
        # Some backbones freeze when they are told to train, as the loop does next.
        model.train()
        source = runner._load_from
        selection = self._selection
        if selection is None:
            source, selection = selection_of_parts(model, self.keep, self.reinit)
        state = model.state_dict()
        statuses = statuses_after(
            state, selection.kept, selection.other_shape, self.reinit
        )
        self._refine(statuses, state, model)
        share = loaded_share(state, statuses, self.keep, self.reinit)
        parts = parts_of(state, statuses, self._before, self._part_names(model))
        receipt = dict(
            source=source,
            sha256=file_hash(source),
            files_of_parts={
                entry['checkpoint']: file_hash(entry['checkpoint'])
                for _, _, entry in files_of_parts(model)
            },
            input_convention=runner.cfg.get('input_convention'),
            keep=self.keep,
            reinit=self.reinit,
            loaded_share_of_kept=share,
            placed_share_of_file=selection.placed_share,
            parts={name: asdict(part) for name, part in parts.items()},
            shape_differs=selection.other_shape,
            unused=unused_parts(selection),
            frozen=frozen_hashes(model),
        )
        _write(runner, receipt)
        for name, part in parts.items():
            counts = ', '.join(f'{v} {k}' for k, v in part.tensors.items())
            runner.logger.info(f'transfer: {name}: {counts}')
        for status, group in receipt['unused'].items():
            for name, row in group['parts'].items():
                runner.logger.info(
                    f'transfer: {name} of the file: {row["tensors"]} {status}'
                )
        runner.logger.info(f'transfer: {self._summary(receipt)}')
        if share < self.min_loaded:
            wrong = [n for n, s in statuses.items() if s != LOADED]
            wrong = [n for n in wrong if matches(n, self.keep)]
            wrong = [n for n in wrong if not matches(n, self.reinit)]
            raise CheckpointError(
                f'{source}: expected at least {self.min_loaded:.0%} of the elements of '
                f'{", ".join(self.keep)} to be loaded, got {share:.1%}; not loaded: '
                f'{", ".join(f"{n} ({statuses[n]})" for n in wrong[:3])} ...; is it a '
                'checkpoint of another architecture? min_loaded lowers the limit'
            )
        placed = selection.placed_share
        if placed < self.min_loaded and CONVERTED not in statuses.values():
            lost = list(selection.without_place)
            raise CheckpointError(
                f'{source}: expected a place in the model for at least '
                f'{self.min_loaded:.0%} of the elements of {", ".join(self.keep)}, '
                f'{placed:.1%} have one; {len(lost)} tensors have none, first '
                f'{lost[0]}; is it a checkpoint of another depth? min_loaded lowers '
                'the limit'
            )
        for name, module in model.named_modules():
            if getattr(module, 'frozen_stages', None) == 0:
                runner.logger.info(
                    f'transfer: {name}: frozen_stages=0 freezes the stem in ResNets; '
                    '-1 freezes nothing'
                )
        _let_averages_begin_here(runner, model)
        # The file's tensors are not kept in memory for the whole training.
        self._selection, self._before_loading = None, {}

    def _refine(
        self, statuses: dict[str, str], state: dict[str, Tensor], model: nn.Module
    ) -> None:
        """Tell apart what came into the model by other ways than by its name."""
        by_file = {} if self._selection is None else tensors_of_part_files(model)
        for name, status in statuses.items():
            if status in (LOADED, CHANGED):
                continue
            now = self._before_loading and tensor_hash(state[name])
            if self._before_loading and self._before_loading[name] != now:
                statuses[name] = CONVERTED
            elif tensor_hash(state[name]) == by_file.get(name):
                statuses[name] = FROM_INIT

    def after_train(self, runner: Any) -> None:
        """Prove that frozen weights and statistics are as they were."""
        path = Path(runner.work_dir) / RECEIPT
        if not path.is_file():
            if runner._resume:
                runner.logger.warning(
                    f'transfer: no {RECEIPT} in {runner.work_dir}: that frozen parts '
                    'are as they were cannot be proven; resume in the same work_dir'
                )
            return
        receipt = json.loads(path.read_text())
        now = frozen_hashes(_unwrapped(runner.model))
        moved = [n for n, one in receipt['frozen'].items() if now.get(n) != one]
        receipt['frozen_and_moved'] = moved
        _write(runner, receipt)
        runner.logger.info(f'transfer: {self._summary(receipt)}')
        named = [one.parts for one in runner.hooks if isinstance(one, FreezeHook)]
        named = [part for parts in named for part in parts]
        # A part of which all children are frozen has one hash.
        wrong = [
            name
            for name in moved
            if matches(name, named) or any(one.startswith(f'{name}.') for one in named)
        ]
        if wrong:
            raise CheckpointError(
                f'frozen parts have moved in training: {", ".join(wrong[:3])}; see '
                f'{path}'
            )
        if moved:
            runner.logger.warning(
                f'parts without gradients have moved: {", ".join(moved[:3])}; the '
                'statistics of their norms were not held'
            )

    def _part_names(self, model: nn.Module) -> list[str]:
        """Return the parts that patterns name, without those with wildcards."""
        names = {name for name, _ in model.named_modules()}
        return [one for one in (*self.keep, *self.reinit) if one in names]

    def _summary(self, receipt: dict) -> str:
        counts: dict[str, int] = {}
        for part in receipt['parts'].values():
            for status, number in part['tensors'].items():
                counts[status] = counts.get(status, 0) + number
        text = ', '.join(
            f'{number} tensors {status}' for status, number in counts.items()
        )
        frozen = len(receipt['frozen'])
        moved = receipt.get('frozen_and_moved')
        if frozen and moved is not None:
            text += f'; {frozen - len(moved)} of {frozen} frozen parts unchanged'
        elif frozen:
            text += f'; frozen: {", ".join(list(receipt["frozen"])[:6])}'
        return (
            f'{receipt["source"]}: {text} '
            f'({receipt["loaded_share_of_kept"]:.1%} of {", ".join(self.keep)})'
        )


def frozen_hashes(model: nn.Module) -> dict[str, str]:
    """Return a hash for each part whose weights are not trained, statistics too."""
    state = model.state_dict()
    hashes = {}
    for part in frozen_by_config(model):
        own = {k: v for k, v in state.items() if k.startswith(f'{part}.')}
        hashes[part] = joint_hash({k: tensor_hash(v) for k, v in own.items()})
    return hashes


def _hashes(model: nn.Module) -> dict[str, str]:
    return {name: tensor_hash(value) for name, value in model.state_dict().items()}


def _let_averages_begin_here(runner: Any, model: nn.Module) -> None:
    """Give an averaged model the weights that training begins with.

    mmengine copies it before parts are initialised, and loads into it what was loaded.
    """
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.ema_model.module.load_state_dict(model.state_dict())


def _write(runner: Any, receipt: dict) -> None:
    if runner.rank == 0:
        text = json.dumps(receipt, indent=1, default=list) + '\n'
        write_text_atomically(Path(runner.work_dir) / RECEIPT, text)


def _unwrapped(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
