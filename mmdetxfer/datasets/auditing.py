"""Audits the data sets that a config names, of whichever host: reads all files once."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS, init_default_scope

from mmdetxfer.datasets.annotation_sources import (
    config_classes,
    labels_of,
    load,
    read_annotations,
)
from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import AuditTable, Reason, audit_splits
from mmdetxfer.datasets.image_files import ImageFile, judge_image, judge_label_map
from mmdetxfer.datasets.set_audit import AuditedSet, audit_set, audit_split_classes
from mmdetxfer.errors import UserError

SPLITS = ('train', 'val', 'test')
_FILES_A_TASK = 16
# What a data set's config says about its use rather than about its data.
_USE_KEYS = {'pipeline', 'test_mode', 'filter_cfg', 'lazy_init', 'max_refetch'}

Watch = Callable[[Iterable, int], Iterable]


def audit_config(
    cfg: Any, split: str, workers: int, watch: Watch
) -> tuple[AuditTable, list[AuditedSet]]:
    """Audit the data sets of one split or of all.

    Args:
        cfg: An mmengine config.
        split: 'train', 'val', 'test' or 'all'.
        workers: Processes that read image files; 0 reads in this one.
        watch: Wraps the results of a known number of files, to show progress.

    Returns:
        The table of what was found and the data sets that were looked at.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    table = AuditTable()
    leaves = configured_leaves(cfg, split)
    sets = [
        _read_set(name, leaf, table) for name, found in leaves.items() for leaf in found
    ]
    files = _judged_files([one.annotations for one in sets], workers, watch)
    for one in sets:
        audit_set(table, one, files)
    hashes: dict[str, dict] = {}
    for name in leaves:
        of_split = [one for one in sets if one.split == name]
        audit_split_classes(table, of_split, files)
        paths = [path for one in of_split for path in one.annotations.image_paths]
        hashes[name] = {path: files[path].sha256 for path in paths}
    audit_splits(table, hashes)
    return table, sets


def configured_leaves(cfg: Any, split: str) -> dict[str, list[dict]]:
    """Return the innermost data sets of each split, without wrappers and repetitions.

    A test split that is the validation split again, as in most configs, is joined with
    it.
    """
    wanted = SPLITS if split == 'all' else (split,)
    found = {}
    for name in wanted:
        loader = cfg.get(f'{name}_dataloader')
        loaders = loader if isinstance(loader, (list, tuple)) else [loader]
        leaves = [x for one in loaders if one for x in _leaves(one['dataset'])]
        if leaves:
            found[name] = {_key(leaf): leaf for leaf in leaves}
    if not found:
        names = ' or '.join(f'{name}_dataloader' for name in wanted)
        raise UserError(
            f'{cfg.filename}: expected a {names}, there is none; name a config with '
            'data or another --split'
        )
    if 'val' in found and found['val'].keys() == found.get('test', {}).keys():
        found['val and test'] = found.pop('val')
        found.pop('test')
    return {name: list(by_key.values()) for name, by_key in found.items()}


def _leaves(dataset: dict) -> Iterator[dict]:
    if isinstance(dataset.get('dataset'), dict):
        yield from _leaves(dataset['dataset'])
    elif dataset.get('datasets'):
        for inner in dataset['datasets']:
            yield from _leaves(inner)
    else:
        yield dataset


def _key(leaf: dict) -> str:
    data = {key: value for key, value in leaf.items() if key not in _USE_KEYS}
    return json.dumps(data, sort_keys=True, default=str)


def _read_set(split: str, leaf: dict, table: AuditTable) -> AuditedSet:
    dataset = _built(split, leaf)
    # OpenImages' readers replace the config's classes when they load.
    classes = config_classes(dataset)
    num_stops = table.counts[Reason.READER]
    annotations = read_annotations(dataset, table, split)
    has_stopped = table.counts[Reason.READER] > num_stops
    used = None
    if not has_stopped and load(dataset, table, split):
        counts = [_num_labels(dataset, index) for index in range(len(dataset))]
        used = len(counts), sum(counts)
        if leaf.get('indices') is not None:
            infos = (dataset.get_data_info(index) for index in range(len(dataset)))
            annotations = annotations.only({info['img_path'] for info in infos})
    classes = classes or config_classes(dataset)
    turns = obeys_orientation(leaf)
    return AuditedSet(split, dataset, annotations, classes, turns, used)


def _num_labels(dataset: Any, index: int) -> int:
    return len(labels_of(dataset.get_data_info(index)) or [])


def _built(split: str, leaf: dict) -> Any:
    """Build a data set without loading its annotation."""
    name, root = leaf.get('type'), leaf.get('data_root')
    remote = [text for text in _texts_in(leaf) if '://' in text]
    if remote:
        raise UserError(
            f'{split} data: expected local files, got {remote[0]}; audit a local copy'
        )
    if root and not Path(root).is_dir():
        raise UserError(
            f'{split} data: expected a folder at data_root {root}, there is none; put '
            'or link the data there, or set data_root with --cfg-options'
        )
    try:
        return DATASETS.build({**leaf, 'pipeline': [], 'lazy_init': True})
    # A host's constructor may stop with any error, a bare assertion too.
    except Exception as error:
        raise UserError(
            f'{split} data: {name} cannot be built ({type(error).__name__}: {error}); '
            f'check data_root {root}, ann_file {leaf.get("ann_file")} and data_prefix '
            f'{leaf.get("data_prefix")}'
        ) from error


def _texts_in(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, (dict, list, tuple)):
        for part in node.values() if isinstance(node, dict) else node:
            yield from _texts_in(part)


def obeys_orientation(leaf: dict) -> bool:
    """Return whether the config's loader turns images by their EXIF orientation."""
    for transform in leaf.get('pipeline') or []:
        if str(transform.get('type')).endswith('LoadImageFromFile'):
            flag = transform.get('color_type', 'color')
            backend = transform.get('imdecode_backend', 'cv2')
            return flag in ('color', 'grayscale') and backend in ('cv2', 'pillow')
    return True


def _judged_files(
    sets: list[Annotations], workers: int, watch: Watch
) -> dict[str, ImageFile]:
    """Judge every image and label map once, whatever the number of splits it is in."""
    jobs = dict.fromkeys((path, False) for one in sets for path in one.image_paths)
    maps = ((path, True) for one in sets for path in one.label_map_paths or ())
    jobs.update(dict.fromkeys(maps))
    if workers == 0:
        return {one.path: one for one in watch(map(_judge, jobs), len(jobs))}
    # Forked, since a fresh process would import torch first.
    with ProcessPoolExecutor(workers, mp_context=get_context('fork')) as pool:
        results = pool.map(_judge, jobs, chunksize=_FILES_A_TASK)
        return {one.path: one for one in watch(results, len(jobs))}


def _judge(job: tuple[str, bool]) -> ImageFile:
    path, is_label_map = job
    return judge_label_map(path) if is_label_map else judge_image(path)
