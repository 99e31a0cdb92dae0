"""Probes of several candidates on several targets: features, fits, and their records.

Each fit is a file of its own that says what it was made of, so that a call that was
killed goes on where it was; what other settings made is made again. Features of other
weights, layers or images are refused: they take long.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.feature_files import MANIFEST, load_features, read_manifest
from mmdetxfer.predictions import load_predictions
from mmdetxfer.probe_plan import ProbePlan
from mmdetxfer.probes import (
    accuracy,
    eigenbasis,
    few_shot_probe,
    h_score,
    log_evidence,
    neighbour_scores,
    present_classes,
    scored_probe,
)
from mmdetxfer.probes.feature_set import FeatureSet
from mmdetxfer.text_files import sha256_of_file, write_text_atomically

PARTS = ('train', 'test')


@dataclass(frozen=True)
class Place:
    """One candidate and seed on one target.

    Args:
        target: Name of the target.
        candidate: Name of the candidate.
        seed: Of its chain.
    """

    target: str
    candidate: str
    seed: int

    def below(self, folder: Path) -> Path:
        """Return its own folder."""
        return folder / self.target / self.candidate / f'seed_{self.seed}'


def places(plan: ProbePlan) -> list[Place]:
    """Return all that is probed."""
    return [
        Place(target, name, seed)
        for target in plan.targets
        for name in plan.probed
        for seed in plan.candidates[name].seeds
    ]


def extract(
    plan: ProbePlan, place: Place, work_dir: Path, trusts: bool
) -> dict[str, Path]:
    """Extract features of both parts, as far as they are missing; return the folders.

    Args:
        plan: The plan.
        place: What of.
        work_dir: Where all lies.
        trusts: Whether pickled code in checkpoints may run.
    """
    from mmdetxfer.engine.launching import features

    one = plan.candidates[place.candidate]
    folders = {}
    for part in PARTS:
        folders[part] = place.below(work_dir / 'features') / part
        checkpoint = one.checkpoint and one.checkpoint.format(seed=place.seed)
        convention = one.input_convention
        stated = None if convention is None else dict(input_convention=convention)
        features(
            SimpleNamespace(
                config=one.config,
                checkpoint=checkpoint,
                data=plan.targets[place.target].config,
                part=part,
                out=folders[part],
                layers=plan.layers,
                pooling=(1,),
                batch_size=plan.batch_size,
                images_per_shard=1024,
                num_workers=2,
                seed=place.seed,
                trust_checkpoint=trusts,
                cfg_options=stated,
                launcher='none',
            )
        )
    return folders


def fitted(
    plan: ProbePlan,
    place: Place,
    folders: Mapping[str, Path],
    work_dir: Path,
    say: Callable[[str], None],
) -> dict[str, dict]:
    """Return what is known of each layer, fitting what is missing.

    Args:
        plan: The plan.
        place: What of.
        folders: Features of both parts.
        work_dir: Where all lies.
        say: Told of each fit.
    """
    hashes = [sha256_of_file(folders[part] / MANIFEST) for part in PARTS]
    digest, found = _digest(plan, place, hashes), {}
    for layer in read_manifest(folders['train']).layers:
        path = place.below(work_dir / 'probes') / f'{layer.replace(" ", "-")}.json'
        found[layer] = _kept(path, digest)
        if found[layer] is not None:
            continue
        begun = time.monotonic()
        parts = [load_features(folders[part], layer) for part in PARTS]
        try:
            if not plan.targets[place.target].has_all_classes:
                parts = _with_present_classes(*parts)
            own = _fit(plan, layer, *parts)
        except ValueError as error:
            raise UserError(
                f'{place.target}, {place.candidate}, seed {place.seed}, {layer}: '
                f'{error}'
            ) from error
        found[layer] = dict(made_of=digest, **own)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(found[layer]) + '\n')
        say(
            f'{place.target}, {place.candidate}, seed {place.seed}, {layer}: top-1 '
            f'{np.mean(own["right"]):.3f}, strength {own["strength"]:.3g}, '
            f'{time.monotonic() - begun:.1f} s'
        )
    return found


def kept_fits(place: Place, features: Path, work_dir: Path) -> dict[str, dict]:
    """Return what ``fitted`` found before, and wrote down.

    Args:
        place: What of.
        features: Features of the train part.
        work_dir: Where it wrote.
    """
    folder = place.below(work_dir / 'probes')
    return {
        layer: json.loads((folder / f'{layer.replace(" ", "-")}.json').read_text())
        for layer in read_manifest(features).layers
    }


# Raised by hand when the numbers of a fit change.
FITS_VERSION = 4


def _digest(plan: ProbePlan, place: Place, hashes: Sequence[str]) -> str:
    """Return a hash of all that a fit depends on."""
    settings = asdict(plan.settings)
    del settings['device']
    shots = dict(main=plan.main_layer, shots=plan.shots, draws=plan.draws)
    has_all = plan.targets[place.target].has_all_classes
    made_of = json.dumps([hashes, settings, shots, has_all, FITS_VERSION])
    return hashlib.sha256(made_of.encode()).hexdigest()


def _kept(path: Path, digest: str) -> dict | None:
    """Return a former fit of the very same, if it is whole."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if found.get('made_of') == digest else None


def _with_present_classes(train: FeatureSet, test: FeatureSet) -> list[FeatureSet]:
    """Return the parts with the classes that have images to learn from."""
    classes, labels = present_classes(train.classes, train.labels, test.labels)
    return [
        FeatureSet(one.features, own, one.image_ids, classes)
        for one, own in zip((train, test), labels, strict=True)
    ]


def _fit(plan: ProbePlan, layer: str, train: FeatureSet, test: FeatureSet) -> dict:
    """Return the scores of a layer; of the main layer also what needs no fit."""
    tables = (train.features, train.labels, test.features, test.labels, train.classes)
    choice, found = scored_probe(*tables, plan.settings)
    own = dict(
        num_features=train.features.shape[1],
        strength=choice.probe.strength,
        tried=list(choice.scores.items()),
        not_converged=choice.not_converged,
        right=found.is_right.astype(int).tolist(),
    )
    if layer != plan.main_layer:
        return own
    own['few_shot'] = {
        str(shots): [
            few_shot_probe(*tables, shots, draw, plan.settings)
            .is_right.astype(int)
            .tolist()
            for draw in range(plan.draws)
        ]
        for shots in plan.shots
        if shots <= np.bincount(train.labels).min()
    }
    device, num_classes = plan.settings.device, len(train.classes)
    own['transferability'] = {
        'LogME': log_evidence(train.features, train.labels, num_classes, device),
        'neighbours': accuracy(
            neighbour_scores(
                train.features, train.labels, None, num_classes, device=device
            ),
            train.labels,
        ).top1,
    }
    basis = eigenbasis(train.features, device=device)
    # Else it is the same of all candidates, whatever they know.
    if len(basis.spreads) < len(train.labels) - 1:
        found = h_score(basis, train.labels, num_classes)
        own['transferability']['H-score'] = found
    return own


def fine_tuned_right(
    path: Path, image_ids: Sequence[str], labels: np.ndarray
) -> np.ndarray:
    """Return (N,) which images a fine-tuned candidate has right.

    Args:
        path: Its predictions.
        image_ids: N test images of the target.
        labels: (N,) the classes that their data set says.
    """
    predictions = load_predictions(path)
    if predictions.header.task != 'classification':
        raise UserError(
            f'{path}: expected predictions of a classifier, got '
            f'{predictions.header.task}'
        )
    row_of = {one: row for row, one in enumerate(predictions.image_ids)}
    differing = sorted(set(image_ids) ^ row_of.keys())
    if differing:
        raise UserError(
            f"{path}: expected predictions for the target's {len(image_ids)} test "
            f'images, {len(differing)} differ, such as {differing[0]!r}'
        )
    scores = predictions.columns['scores'][[row_of[one] for one in image_ids]]
    return accuracy(scores, labels).is_right
