"""Runner, loops, hooks: how a training runs, is killed, and goes on."""

from mmdetxfer.engine.class_check_hook import ClassCheckHook
from mmdetxfer.engine.cost_hook import CostHook
from mmdetxfer.engine.exact_loops import ExactEpochTrainLoop, ExactIterTrainLoop
from mmdetxfer.engine.exact_runner import ExactRunner
from mmdetxfer.engine.freeze_hook import FreezeHook
from mmdetxfer.engine.input_pixels_hook import InputPixelsHook
from mmdetxfer.engine.linear_probe_hook import LinearProbeHook
from mmdetxfer.engine.linear_probe_loop import LinearProbeLoop
from mmdetxfer.engine.nonfinite_loss_hook import NonfiniteLossHook
from mmdetxfer.engine.one_writer_logger_hook import OneWriterLoggerHook
from mmdetxfer.engine.safe_checkpoint_hook import SafeCheckpointHook
from mmdetxfer.engine.transfer_hook import TransferHook
from mmdetxfer.engine.unreadable_images_hook import UnreadableImagesHook

__all__ = [
    'ClassCheckHook',
    'CostHook',
    'ExactEpochTrainLoop',
    'ExactIterTrainLoop',
    'ExactRunner',
    'FreezeHook',
    'InputPixelsHook',
    'LinearProbeHook',
    'LinearProbeLoop',
    'NonfiniteLossHook',
    'OneWriterLoggerHook',
    'SafeCheckpointHook',
    'TransferHook',
    'UnreadableImagesHook',
]
