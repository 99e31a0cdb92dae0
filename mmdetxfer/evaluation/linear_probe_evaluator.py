"""Linear probes of a network's layers, as an evaluator of mmengine.

It is handed features instead of predictions, of images that probes learn from and of
images that they are scored on, and returns scores for each layer. Layers are shared out
over the ranks: the features of each, of all images, go to the rank that fits it, and
all are there before the first is fitted.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import Evaluator

from mmdetxfer.engine.rank_exchange import RankExchange
from mmdetxfer.errors import UserError
from mmdetxfer.probes import (
    STRENGTHS,
    ProbeSettings,
    check_classes,
    held_out_rows,
    present_classes,
    scored_probe,
)
from mmdetxfer.registry import EVALUATOR

PARTS = ('train', 'test')


@EVALUATOR.register_module()
class LinearProbeEvaluator(Evaluator):
    """Fits a probe to each layer's features, and scores it.

    In a config, with ``LinearProbeLoop`` or ``LinearProbeHook``::

        test_evaluator = dict(type='mmdetxfer.LinearProbeEvaluator')

    Args:
        strengths: Of the penalty, from which a held-out part of the images to learn
            from chooses.
        held_out: Its share of each class.
        seed: Of the draw of those images.
        is_standardised: Whether features are divided by their deviation.
        device: Where probes are fitted; the GPU if there is one by default.
        has_all_classes: Whether a class without an image is an error; else it does not
            count.
        strengths_of_many: Of layers with more than 10,000 features; by default nine
            of ``strengths`` or fewer, evenly apart.
    """

    def __init__(
        self,
        strengths: Sequence[float] = STRENGTHS,
        held_out: float = 0.2,
        seed: int = 0,
        is_standardised: bool = True,
        device: str | None = None,
        has_all_classes: bool = True,
        strengths_of_many: Sequence[float] | None = None,
    ) -> None:
        """Take the settings."""
        super().__init__([])
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        many = None if strengths_of_many is None else tuple(strengths_of_many)
        try:
            self.settings = ProbeSettings(
                tuple(strengths), held_out, seed, is_standardised, device, many
            )
        except ValueError as error:
            raise UserError(f'LinearProbeEvaluator: {error}') from error
        self.has_all_classes = has_all_classes
        self._exchange: RankExchange | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew, whatever was kept."""
        self._rows: dict[str, list[Mapping]] = {part: [] for part in PARTS}

    def check_labels(self, labels: Mapping[str, Sequence[int]]) -> None:
        """Refuse labels that no probe could be chosen with, before any features.

        Args:
            labels: Of the images of each part.
        """
        try:
            classes, own = self._classes([np.array(labels[part]) for part in PARTS])
            check_classes(*own, classes)
            settings = self.settings
            held_out_rows(own[0], settings.held_out, settings.seed, classes)
        except ValueError as error:
            raise UserError(f'linear probes: {error}') from error

    def process(self, data_samples: Sequence[Mapping], data_batch: Any = None) -> None:
        """Keep the features of images.

        Args:
            data_samples: For each image ``part`` ('train' or 'test'), ``index`` in its
                part, ``gt_label`` and ``features``: a vector by layer.
            data_batch: Not looked at.
        """
        for sample in data_samples:
            self._rows[sample['part']].append(sample)

    def evaluate(self, size: int) -> dict[str, float]:
        """Return top-1 and the mean per class of each layer; forget the features.

        Args:
            size: Images of both parts.
        """
        rows = self._rows
        self.forget()
        if self._exchange is None:
            self._exchange = RankExchange()
        exchange = self._exchange
        layers = list(rows['train'][0]['features']) if rows['train'] else []
        mine = []
        for place, layer in enumerate(layers):
            owner = place % exchange.num_ranks
            tables = {part: self._gathered(rows[part], layer, owner) for part in PARTS}
            if exchange.rank == owner:
                mine.append((layer, tables))
        del rows
        own = {layer: self._fitted(layer, tables, size) for layer, tables in mine}
        told = exchange.told(own, layers)
        scores: dict[str, float] = {}
        for layer in layers:
            found = json.loads(told[layer])
            if 'error' in found:
                raise UserError(f'probe of {layer}: {found["error"]}')
            name = layer.replace(' ', '_')
            scores.update({f'probe/{name}_{key}': found[key] for key in found})
        return scores

    def _gathered(
        self, rows: Sequence[Mapping], layer: str, owner: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return features and labels of a part in its order, where they are fitted."""
        features = torch.stack([torch.as_tensor(r['features'][layer]) for r in rows])
        numbers = torch.tensor([[row['index'], row['gt_label']] for row in rows])
        parts = [
            self._exchange.gathered(own, owner) for own in (features.float(), numbers)
        ]
        if parts[0] is None:
            return None
        features, numbers = (part.numpy() for part in parts)
        order = numbers[:, 0].argsort()
        return features[order], numbers[order, 1]

    def _fitted(self, layer: str, tables: dict, size: int) -> str:
        """Return the scores as text, or why there are none."""
        count = sum(len(labels) for _, labels in tables.values())
        if count != size:
            return json.dumps(dict(error=f'expected {size} images, got {count}'))
        try:
            classes, labels = self._classes([tables[part][1] for part in PARTS])
            choice, found = scored_probe(
                tables['train'][0],
                labels[0],
                tables['test'][0],
                labels[1],
                classes,
                self.settings,
            )
        except Exception as error:
            # Whatever it is: the other ranks wait for a word.
            return json.dumps(dict(error=str(error) or type(error).__name__))
        return json.dumps(
            dict(
                top1=found.top1,
                mean_per_class=found.mean_per_class,
                strength=choice.probe.strength,
            )
        )

    def _classes(self, labels: list[np.ndarray]) -> tuple[tuple, list[np.ndarray]]:
        """Return the names of the classes that count, and both parts' labels."""
        classes = (self.dataset_meta or {}).get('classes')
        if classes is None:
            classes = map(str, range(int(labels[0].max()) + 1))
        classes = tuple(classes)
        if self.has_all_classes:
            return classes, labels
        return present_classes(classes, *labels)
