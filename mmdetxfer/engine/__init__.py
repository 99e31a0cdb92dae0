"""Runner, loops, hooks: how a training runs, is killed, and goes on."""

from mmdetxfer.engine.exact_loops import ExactEpochTrainLoop, ExactIterTrainLoop
from mmdetxfer.engine.exact_runner import ExactRunner
from mmdetxfer.engine.safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'ExactEpochTrainLoop',
    'ExactIterTrainLoop',
    'ExactRunner',
    'SafeCheckpointHook',
]
