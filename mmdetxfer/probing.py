"""Probes of several candidates on several targets: features, fits, and their records.

Each fit is a file of its own that says what it was made of, so that a call that was
killed goes on where it was; what another plan, other weights or other images made is
made again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from mmengine.config import Config

from mmdetxfer.checkpoints.writing import sha256_of_file, write_text_atomically
from mmdetxfer.errors import UserError
from mmdetxfer.feature_files import MANIFEST, load_features, read_manifest
from mmdetxfer.predictions import load_predictions
from mmdetxfer.probes import (
    STRENGTHS,
    ProbeSettings,
    accuracy,
    eigenbasis,
    few_shot_probe,
    h_score,
    log_evidence,
    neighbour_scores,
    scored_probe,
)
from mmdetxfer.probes.feature_set import FeatureSet

PARTS = ('train', 'test')
MANY_FEATURES = 10_000


@dataclass(frozen=True)
class Candidate:
    """A pre-training that is probed.

    Args:
        config: Of its network; None for one that is fine-tuned alone.
        checkpoint: Its weights, with ``{seed}`` for the seed; None draws them.
        seeds: Of the chain.
    """

    config: str | None = None
    checkpoint: str | None = None
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Target:
    """What is classified.

    Args:
        config: A classification config, whose train and test images count.
        fine_tuned: Predictions of fine-tuned candidates for its test images, with
            ``{candidate}`` and ``{seed}``.
        has_all_classes: Whether a class without an image is an error; else it does not
            count.
    """

    config: str
    fine_tuned: str | None = None
    has_all_classes: bool = True


@dataclass(frozen=True)
class ProbePlan:
    """All that ``tools/probe.py`` does.

    Args:
        candidates: By name.
        targets: By name.
        baseline: The candidate that others are compared with.
        layers: As ``tools/extract_features.py`` takes them.
        main_layer: The layer that candidates are compared at, such as 'Conv5 1x1'.
        settings: How probes are fitted.
        shots: Images a class of few-shot probes of the main layer.
        draws: How often these are drawn.
        batch_size: Images at a time.
        strengths_of_many: What is tried for layers of more than 10,000 features.
    """

    candidates: Mapping[str, Candidate]
    targets: Mapping[str, Target]
    baseline: str
    layers: tuple[str, ...]
    main_layer: str = 'Conv5 1x1'
    settings: ProbeSettings = ProbeSettings()
    shots: tuple[int, ...] = (1, 5, 10, 25)
    draws: int = 3
    batch_size: int = 32
    strengths_of_many: tuple[float, ...] = STRENGTHS[::5]

    def settings_of(self, num_features: int) -> ProbeSettings:
        """Return how probes of so many features are fitted."""
        if num_features <= MANY_FEATURES:
            return self.settings
        return replace(self.settings, strengths=self.strengths_of_many)

    @property
    def probed(self) -> list[str]:
        """Names of the candidates that have a network to probe."""
        return [name for name, one in self.candidates.items() if one.config]


def read_plan(cfg: Config, device: str) -> ProbePlan:
    """Return what a config plans; what is unknown or missing in it is refused.

    Args:
        cfg: Its keys are the arguments of ``ProbePlan``; candidates and targets are
            dicts of those of their classes, ``seeds`` serves all candidates without
            their own, and strengths, held_out, seed and is_standardised are the
            settings'.
        device: Where probes are fitted.
    """
    # Names with a line before are the config's own.
    content = {k: v for k, v in cfg.to_dict().items() if not k.startswith('_')}
    seeds = tuple(content.pop('seeds', (0,)))
    own = {key: content.pop(key) for key in SETTINGS if key in content}
    own['strengths'] = tuple(own.get('strengths', STRENGTHS))
    try:
        candidates = {
            name: Candidate(**{'seeds': seeds, **one})
            for name, one in content.pop('candidates').items()
        }
        targets = {name: Target(**one) for name, one in content.pop('targets').items()}
        lists = {key: tuple(content.pop(key)) for key in LISTS if key in content}
        plan = ProbePlan(
            candidates,
            targets,
            settings=ProbeSettings(**own, device=device),
            **lists,
            **content,
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f'{cfg.filename}: expected candidates, targets, baseline and layers, as in '
            f'configs/transfer_cls/probes_*.py; {error}'
        ) from error
    if plan.baseline not in plan.probed:
        raise UserError(
            f'{cfg.filename}: expected a baseline among {", ".join(plan.probed)}, '
            f'got {plan.baseline!r}'
        )
    return plan


SETTINGS = ('strengths', 'held_out', 'seed', 'is_standardised')
LISTS = ('layers', 'shots', 'strengths_of_many')


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
                cfg_options=None,
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
    found = {}
    for layer in read_manifest(folders['train']).layers:
        parts = [load_features(folders[part], layer) for part in PARTS]
        digest = _digest(plan, place, hashes, parts[0].features.shape[1])
        path = place.below(work_dir / 'probes') / f'{layer.replace(" ", "-")}.json'
        found[layer] = _kept(path, digest)
        if found[layer] is not None:
            continue
        begun = time.monotonic()
        parts = _with_classes(parts, plan.targets[place.target], place.target)
        try:
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


# Raised by hand when the numbers of a fit change.
FITS_VERSION = 1


def _digest(
    plan: ProbePlan, place: Place, hashes: Sequence[str], num_features: int
) -> str:
    """Return a hash of all that a fit depends on."""
    settings = asdict(plan.settings_of(num_features))
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


def _with_classes(
    parts: Sequence[FeatureSet], target: Target, name: str
) -> list[FeatureSet]:
    """Return the parts with the classes that count."""
    train, test = parts
    if target.has_all_classes or not train.missing_classes():
        return [train, test]
    present, labels = np.unique(train.labels, return_inverse=True)
    unknown = np.setdiff1d(test.labels, present)
    if len(unknown):
        raise UserError(
            f'{name}: expected classes of the test among those to learn from, '
            f'{train.classes[unknown[0]]!r} is not'
        )
    classes = tuple(train.classes[label] for label in present)
    rows = np.searchsorted(present, test.labels)
    return [
        FeatureSet(train.features, labels, train.image_ids, classes),
        FeatureSet(test.features, rows, test.image_ids, classes),
    ]


def _fit(plan: ProbePlan, layer: str, train: FeatureSet, test: FeatureSet) -> dict:
    """Return the scores of a layer; of the main layer also what needs no fit."""
    tables = (train.features, train.labels, test.features, test.labels, train.classes)
    settings = plan.settings_of(train.features.shape[1])
    choice, found = scored_probe(*tables, settings)
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
            few_shot_probe(*tables, shots, draw, settings).is_right.astype(int).tolist()
            for draw in range(plan.draws)
        ]
        for shots in plan.shots
        if shots <= np.bincount(train.labels).min()
    }
    device, num_classes = settings.device, len(train.classes)
    own['transferability'] = {
        'LogME': log_evidence(train.features, train.labels, num_classes, device),
        'H-score': h_score(
            eigenbasis(train.features, device=device), train.labels, num_classes
        ),
        'neighbours': accuracy(
            neighbour_scores(
                train.features, train.labels, None, num_classes, device=device
            ),
            train.labels,
        ).top1,
    }
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
