"""Counts what a training costs: multiply-adds of an iteration, forward and backward.

Convolutions and matrix products are counted where they run, by torch itself; an
operation of mmcv's own (RoI pooling, deformable convolution) is not among them, and is
named. One iteration is counted, the first: those after it cost about as much.
"""

import json
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch.utils.flop_counter import FlopCounterMode

from mmdetxfer.registry import HOOKS
from mmdetxfer.text_files import write_text_atomically

COST = 'cost.json'
# Types of modules whose arithmetic torch does not see.
_UNSEEN = ('Deform', 'ModulatedDeform')


@HOOKS.register_module()
class CostHook(Hook):
    """Writes ``cost.json`` into the work_dir, once for a training.

    In a config: ``custom_hooks = [dict(type='mmdetxfer.CostHook')]``. Of several ranks
    the first is counted, times their number. A resumed training leaves it as it is.
    """

    # Directly around the forward pass.
    priority = 'LOWEST'

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counter: FlopCounterMode | None = None

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Begin to count, in the first iteration."""
        if runner.iter == 0 and not (Path(runner.work_dir) / COST).is_file():
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write what was counted."""
        if self._counter is None:
            return
        self._counter.__exit__(None, None, None)
        # torch counts a multiply-add as two operations.
        multiply_adds = self._counter.get_total_flops() // 2
        self._counter = None
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        names = {type(one).__name__ for one in model.modules()}
        self._write(
            Path(runner.work_dir),
            dict(
                multiply_adds_per_iteration=multiply_adds * get_world_size(),
                iterations=runner.max_iters,
                multiply_adds=multiply_adds * get_world_size() * runner.max_iters,
                not_counted=sorted(name for name in names if name.startswith(_UNSEEN)),
            ),
        )

    @staticmethod
    @master_only
    def _write(work_dir: Path, content: dict) -> None:
        write_text_atomically(work_dir / COST, json.dumps(content, indent=1) + '\n')
