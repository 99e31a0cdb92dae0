"""Hands the layers of a network to a linear-probe evaluator, image by image."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, EVALUATOR, DefaultScope
from torch import nn
from torch.utils.data import DataLoader, Subset

from mmdetxfer.datasets import guarded
from mmdetxfer.engine.frozen_features import (
    FrozenFeatures,
    as_before,
    labelled_images,
    requests_for,
)
from mmdetxfer.errors import UserError

TYPE = 'mmdetxfer.LinearProbeEvaluator'


class ProbeImages:
    """The images of one part, each with one class.

    Args:
        loader: ``dataset``, ``batch_size`` and ``num_workers``, as of a loader in a
            config; other keys do not matter here, each image comes once.
        scope: In which the data set is built.
    """

    def __init__(self, loader: Mapping, scope: str) -> None:
        """Build the data set."""
        with DefaultScope.overwrite_default_scope(scope):
            self.dataset = DATASETS.build(loader['dataset'])
        self.batch_size = loader.get('batch_size', 32)
        self.num_workers = loader.get('num_workers', 0)
        _, self.labels = labelled_images(self.dataset, None)
        if len(self.labels) < get_world_size():
            raise UserError(
                f'linear probes: expected an image or more for each of '
                f'{get_world_size()} ranks, got {len(self.labels)}'
            )

    def own_rows(self) -> range:
        """Return the images of this rank."""
        return range(get_rank(), len(self.labels), get_world_size())

    def loader(self) -> DataLoader:
        """Return a loader of this rank's images, in order."""
        return DataLoader(
            Subset(guarded(self.dataset), self.own_rows()),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=pseudo_collate,
        )


def probe_evaluator(settings: Any, images: Mapping[str, ProbeImages]) -> Evaluator:
    """Build the evaluator, tell it the classes, and let it check the labels.

    Args:
        settings: Its config; its type may be left out.
        images: Of each part.
    """
    if not isinstance(settings, Mapping) or settings.get('type', TYPE) != TYPE:
        raise UserError(
            f'expected an evaluator of type {TYPE!r}, which takes features, got '
            f'{settings!r}'
        )
    evaluator = EVALUATOR.build({**settings, 'type': TYPE})
    evaluator.dataset_meta = dict(images['train'].dataset.metainfo)
    evaluator.check_labels({part: own.labels for part, own in images.items()})
    return evaluator


def probed(
    model: nn.Module,
    images: Mapping[str, ProbeImages],
    layers: Sequence[str],
    poolings: Sequence[int | str],
    evaluator: Evaluator,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Return the scores of all layers; the model is left as it was.

    What a rank finds wrong with its images is an error of all of them.

    Args:
        model: Not wrapped.
        images: Of each part.
        layers: Names as in ``requests_for``.
        poolings: Of their maps.
        evaluator: A ``LinearProbeEvaluator``.
        say: Told what the user should know.
    """
    # What a call left that failed half-way.
    evaluator.forget()
    failure: Exception | None = None
    with as_before(model):
        from mmdetxfer.models.named_layers import NamedLayers

        requests = requests_for(NamedLayers(model), layers, poolings, say)
        try:
            for part, own in images.items():
                network = FrozenFeatures(model, requests, own.batch_size, say)
                _process(part, own, network, evaluator)
        except Exception as error:
            failure = error
    # Else the others would wait in the evaluator for a rank that has given up.
    word = '' if failure is None else str(failure) or type(failure).__name__
    words = [one for one in all_gather_object(word) if one]
    if words:
        evaluator.forget()
        if failure is not None and not isinstance(failure, UserError):
            raise failure
        raise UserError(words[0])
    return evaluator.evaluate(sum(len(own.labels) for own in images.values()))


def _process(
    part: str, own: ProbeImages, network: FrozenFeatures, evaluator: Evaluator
) -> None:
    """Hand the features of this rank's images of a part to the evaluator."""
    rows, done = own.own_rows(), 0
    for batch in own.loader():
        found = network(batch['inputs'])
        batch_rows = rows[done : done + len(batch['inputs'])]
        done += len(batch_rows)
        evaluator.process(
            [
                dict(
                    part=part,
                    index=index,
                    gt_label=own.labels[index],
                    features={key: found[key][place] for key in found},
                )
                for place, index in enumerate(batch_rows)
            ]
        )
