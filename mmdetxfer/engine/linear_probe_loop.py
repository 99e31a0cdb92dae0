"""A test that fits linear probes to the layers of a frozen network."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from mmdetxfer.engine.probe_images import ProbeImages, probe_evaluator, probed
from mmdetxfer.registry import LOOPS


@LOOPS.register_module()
class LinearProbeLoop(BaseLoop):
    """Scores each layer by a probe that learns from images of its own.

    In a config of any host, whose other loops stay as they are::

        test_dataloader = dict(batch_size=32, dataset=...)
        test_evaluator = dict(type='mmdetxfer.LinearProbeEvaluator')
        test_cfg = dict(
            type='mmdetxfer.LinearProbeLoop',
            train_dataloader=dict(batch_size=32, dataset=...),
            layers=['Conv4', 'Conv5:1,2', 'FC1'],
        )

    Args:
        runner: The runner.
        dataloader: Of the images that probes are scored on.
        evaluator: Config of a ``LinearProbeEvaluator``.
        train_dataloader: Of the images that they learn from.
        layers: Names, each with poolings of its own or without.
        pooling: Poolings of those without.
        scope: In which the data sets are built.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Mapping,
        evaluator: Mapping,
        train_dataloader: Mapping,
        layers: Sequence[str] = ('Conv5',),
        pooling: Sequence[int | str] = (1,),
        scope: str = 'mmpretrain',
    ) -> None:
        """Build the data sets."""
        loaders = dict(train=train_dataloader, test=dataloader)
        self.images = {
            part: ProbeImages(loader, scope) for part, loader in loaders.items()
        }
        super().__init__(runner, self.images['test'].loader())
        self.layers, self.pooling = tuple(layers), tuple(pooling)
        self.evaluator = probe_evaluator(evaluator, self.images)

    def run(self) -> dict[str, float]:
        """Return the scores of all layers."""
        runner = self.runner
        runner.call_hook('before_test')
        runner.call_hook('before_test_epoch')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        settings = (self.images, self.layers, self.pooling, self.evaluator)
        scores = probed(model, *settings, runner.logger.info)
        runner.call_hook('after_test_epoch', metrics=scores)
        runner.call_hook('after_test')
        return scores
