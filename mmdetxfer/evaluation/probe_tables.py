"""Records of probed and fine-tuned candidates, and the paper's tables made of them.

Table 5 of Li et al. 2019 is the layers of a detector one after the other, Table 6 the
probes of one layer of all candidates, Table 8 (and a column of Table 7) the fine-tuned
ones.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS, DefaultScope

from mmdetxfer.engine.frozen_features import labelled_images
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.comparison_tables import read_config
from mmdetxfer.evaluation.prediction_writer import image_id_of, image_root
from mmdetxfer.feature_files import load_features, read_manifest
from mmdetxfer.probe_plan import ProbePlan, check_files
from mmdetxfer.probes.object_groups import (
    covered_share,
    group_contrasts,
    object_groups,
)
from mmdetxfer.probing import (
    Place,
    extract,
    fine_tuned_right,
    fitted,
    places,
)
from mmdetxfer.scoring.classification import TOP1, accuracy_records

LAYERS, PROBES, TUNED, FEW = 'layers', 'probes', 'fine-tuned', 'few-shot'
_TABLES = {
    'scores': 'score',
    'means': 'mean',
    'differences': 'difference',
    'best': 'best',
    'fits': 'fit',
    'transferability': 'transferability',
}


def probed_tables(
    plan: ProbePlan,
    work_dir: Path,
    num_resamples: int,
    trusts: bool,
    say: Callable[[str], None],
) -> dict[str, list[dict]]:
    """Extract, fit what is missing, and return all records by table.

    Args:
        plan: What is probed.
        work_dir: Where features and fits lie.
        num_resamples: Resamples of the images.
        trusts: Whether pickled code in checkpoints may run.
        say: Told what happens.
    """
    if num_resamples < 2:
        raise UserError(f'--resamples: expected 2 or more, got {num_resamples}')
    check_files(plan)
    found: dict[Place, dict[str, dict]] = {}
    folders: dict[Place, Mapping[str, Path]] = {}
    for place in places(plan):
        folders[place] = extract(plan, place, work_dir, trusts)
        layers = read_manifest(folders[place]['train']).layers
        if plan.main_layer not in layers:
            raise UserError(
                f'main_layer: expected one of the layers that {place.candidate} has, '
                f'{", ".join(layers)}, got {plan.main_layer!r}'
            )
        found[place] = fitted(plan, place, folders[place], work_dir, say)
    return tables_of(plan, found, folders, num_resamples, say)


def tables_of(
    plan: ProbePlan,
    found: Mapping[Place, dict[str, dict]],
    folders: Mapping[Place, Mapping[str, Path]],
    num_resamples: int,
    say: Callable[[str], None],
) -> dict[str, list[dict]]:
    """Return all records by table.

    Args:
        plan: What was probed.
        found: What is known of each layer.
        folders: Features of both parts.
        num_resamples: Resamples of the images.
        say: Told what happens.
    """
    records: list[dict] = []
    for target in plan.targets:
        own = {place: found[place] for place in found if place.target == target}
        test = load_features(folders[next(iter(own))]['test'], plan.main_layer)
        say(f'{target}: comparing {len(plan.probed)} candidates')
        settings = (test.labels, num_resamples)
        records += _layer_records(plan, target, own, *settings)
        records += _candidate_records(plan, target, own, test.image_ids, *settings)
        records += _few_shot_records(plan, target, own, *settings)
        records += _tuned_records(plan, target, num_resamples, say)
        for row in records:
            if row['kind'] == 'score' and row['target'] == target:
                # Until here its place among the candidate's seeds.
                row['seed'] = plan.candidates[row['candidate']].seeds[row['seed']]
        records += _plain_records(plan, own)
    return {
        table: [row for row in records if row['kind'] == kind]
        for table, kind in _TABLES.items()
    }


def _right(own: Mapping[Place, dict], candidate: str, key: str) -> list[np.ndarray]:
    return [
        np.array(found[key]['right'])
        for place, found in own.items()
        if place.candidate == candidate
    ]


def _layer_records(
    plan: ProbePlan, target: str, own: dict, labels: np.ndarray, num_resamples: int
) -> list[dict]:
    """Return scores of a candidate's layers, and differences to its main layer."""
    records = []
    for name in plan.probed:
        first = next(place for place in own if place.candidate == name)
        right = {key: _right(own, name, key) for key in own[first]}
        head = dict(table=LAYERS, target=target, network=name)
        rows = accuracy_records(
            right,
            labels,
            plan.main_layer,
            head,
            num_resamples=num_resamples,
            is_paired=True,
        )
        for row in rows:
            # What is compared there are the layers of a network.
            renamed = {'candidate': 'layer', 'baseline': 'baseline_layer'}
            renamed.update(network='candidate', candidates='layers')
            records.append({renamed.get(key, key): row[key] for key in row})
    return records


def _candidate_records(
    plan: ProbePlan,
    target: str,
    own: dict,
    image_ids: Sequence[str],
    labels: np.ndarray,
    num_resamples: int,
) -> list[dict]:
    """Return differences between candidates at the main layer, by groups of images."""
    right = {name: _right(own, name, plan.main_layer) for name in plan.probed}
    groups = objects_of(plan.targets[target].config, image_ids)
    head = dict(table=PROBES, target=target, layer=plan.main_layer)
    contrasts = group_contrasts(groups) if groups else []
    settings = (plan.baseline, head, groups, contrasts, num_resamples)
    return accuracy_records(right, labels, *settings)


def _few_shot_records(
    plan: ProbePlan, target: str, own: dict, labels: np.ndarray, num_resamples: int
) -> list[dict]:
    """Return the same of probes of a few images, means over the draws."""
    records = []
    for shots in plan.shots:
        right = {
            name: [
                np.mean(found[plan.main_layer]['few_shot'][str(shots)], axis=0)
                for place, found in own.items()
                if place.candidate == name
                and str(shots) in found[plan.main_layer]['few_shot']
            ]
            for name in plan.probed
        }
        if not all(right.values()):
            continue
        # The intervals are given these draws, and know nothing of others.
        head = dict(table=FEW, target=target, layer=plan.main_layer, shots=shots)
        head['draws'] = plan.draws
        rows = accuracy_records(
            right, labels, plan.baseline, head, num_resamples=num_resamples
        )
        records += [
            row for row in rows if row['score'] == TOP1 and row['kind'] != 'best'
        ]
    return records


def _tuned_records(
    plan: ProbePlan, target: str, num_resamples: int, say: Callable[[str], None]
) -> list[dict]:
    """Return differences between fine-tuned candidates."""
    files = tuned_files(plan, target)
    absent = [name for name in plan.candidates if name not in files]
    if plan.targets[target].fine_tuned and absent:
        say(f'{target}: no predictions of fine-tuned {", ".join(absent)}')
    if plan.baseline not in files:
        return []
    ids, labels = labelled_test_images(plan.targets[target].config)
    right = {
        name: [fine_tuned_right(path, ids, labels) for path in paths]
        for name, paths in files.items()
    }
    head = dict(table=TUNED, target=target)
    return accuracy_records(
        right, labels, plan.baseline, head, num_resamples=num_resamples
    )


def tuned_files(plan: ProbePlan, target: str) -> dict[str, list[Path]]:
    """Return the predictions of fine-tuned candidates that are there."""
    pattern = plan.targets[target].fine_tuned
    if pattern is None:
        return {}
    found = {
        name: [Path(pattern.format(candidate=name, seed=seed)) for seed in one.seeds]
        for name, one in plan.candidates.items()
    }
    return {
        name: paths
        for name, paths in found.items()
        if all(path.is_file() for path in paths)
    }


def _plain_records(plan: ProbePlan, own: dict) -> list[dict]:
    """Return what has no intervals: chosen strengths, and scores without a fit."""
    records = []
    for place, found in own.items():
        head = dict(target=place.target, candidate=place.candidate, seed=place.seed)
        for layer, one in found.items():
            records.append(
                dict(
                    kind='fit',
                    **head,
                    layer=layer,
                    num_features=one['num_features'],
                    strength=one['strength'],
                    num_tried=len(one['tried']),
                    num_not_converged=len(one['not_converged']),
                )
            )
        scores = found[plan.main_layer]['transferability']
        records += [
            dict(kind='transferability', **head, score=score, value=value)
            for score, value in scores.items()
        ]
    return records


def labelled_test_images(
    config: str, cfg_options: Sequence[str] = ()
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return ids and classes of a classification config's test images.

    Args:
        config: A config file.
        cfg_options: ``KEY=VALUE`` for it.
    """
    dataset, root = _test_set(config, cfg_options)
    ids, labels = labelled_images(dataset, root)
    return ids, np.array(labels)


def _test_set(config: str, cfg_options: Sequence[str]) -> tuple[Any, Path | None]:
    cfg = read_config(config, cfg_options)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return DATASETS.build(cfg.test_dataloader.dataset), image_root(cfg)


def objects_of(config: str, image_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return groups of a target's test images by their objects; {} without boxes.

    Args:
        config: A classification config.
        image_ids: Its test images, in the order of the features.
    """
    dataset, root = _test_set(config, ())
    infos = [dataset.get_data_info(row) for row in range(len(dataset))]
    if not all({'instances', 'width', 'height'} <= one.keys() for one in infos):
        return {}
    info_of = {image_id_of(one, root): one for one in infos}
    counts, shares = [], []
    for image_id in image_ids:
        info = info_of[image_id]
        boxes = [
            one['bbox'] for one in info['instances'] if not one.get('ignore_flag', 0)
        ]
        counts.append(len(boxes))
        shares.append(covered_share(boxes, (info['width'], info['height'])))
    return object_groups(np.array(counts), np.array(shares))
