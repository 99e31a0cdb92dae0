"""Reads a segmentation test set and saved label maps, and has them compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mmcv
import numpy as np
from mmengine.registry import DATASETS, init_default_scope

from mmdetxfer.datasets.segmentation_transforms import read_labels
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.comparison_tables import read_config
from mmdetxfer.evaluation.prediction_writer import image_id_of, image_root
from mmdetxfer.plots import SegmentationCase, draw_segmentation_cases
from mmdetxfer.predictions import read_manifest
from mmdetxfer.scoring.confusion import BOTH, TRUE
from mmdetxfer.scoring.segmentation_comparison import (
    SegmentationCounts,
    comparison_records,
    rim_records,
    scores_of,
)
from mmdetxfer.scoring.segmentation_counts import BandSettings, image_counts

Key = TypeVar('Key')
_OBJECTS = ('SegmentationClass', 'SegmentationObject')


@dataclass(frozen=True)
class SegmentationTestSet:
    """The test set of a config.

    Args:
        images: Image file by id, in the order of the test set.
        labels: Label map by id.
        classes: Its classes.
        palette: Their colours.
    """

    images: Mapping[str, str]
    labels: Mapping[str, str]
    classes: tuple[str, ...]
    palette: Sequence[Sequence[int]]

    def predictions(self, folder: Path) -> dict[str, Path]:
        """Return the label map of each image out of ``tools/test.py --out FOLDER``."""
        header, files = read_manifest(folder)
        if header.task != 'segmentation' or header.classes != self.classes:
            raise UserError(
                f"{folder}: expected a segmentor's label maps of the test set's "
                f'{len(self.classes)} classes, got {header.task} of '
                f'{len(header.classes)}: {", ".join(header.classes[:3])} ...'
            )
        unknown = [one for one in files if one not in self.labels]
        missing = [one for one in self.labels if one not in files]
        if unknown or missing:
            named = f', first {unknown[0]!r}' if unknown else ''
            raise UserError(
                f"{folder}: expected the test set's {len(self.labels)} images, got "
                f'{len(unknown)} others{named}, and {len(missing)} are missing; test '
                'with this config again'
            )
        return files


def read_test_set(config: str, cfg_options: Sequence[str] = ()) -> SegmentationTestSet:
    """Read the test set of a config of mmseg.

    Args:
        config: A config file.
        cfg_options: ``KEY=VALUE`` for it.
    """
    cfg = read_config(config, cfg_options)
    if cfg.get('default_scope') != 'mmseg':
        raise UserError(
            f'{config}: expected a config of mmseg, its default_scope is '
            f'{cfg.get("default_scope")!r}'
        )
    init_default_scope('mmseg')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    root = image_root(cfg)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    ids = [image_id_of(info, root) for info in infos]
    if not infos:
        raise UserError(f'{config}: expected images in the test set, it has none')
    if 'seg_map_path' not in infos[0]:
        raise UserError(
            f'{config}: expected label maps of the test set, it names none; name a '
            'split that has labels'
        )
    for name in ('reduce_zero_label', 'label_map'):
        if dataset.metainfo.get(name) or infos[0].get(name):
            raise UserError(
                f'{config}: expected label maps on the disk that count as the classes '
                f'do; with {name} mmseg counts them anew: write them so, or score '
                'with mmdetxfer.TrimapMetric in tools/test.py'
            )
    return SegmentationTestSet(
        images={one: info['img_path'] for one, info in zip(ids, infos, strict=True)},
        labels={
            one: info['seg_map_path'] for one, info in zip(ids, infos, strict=True)
        },
        classes=tuple(dataset.metainfo['classes']),
        palette=dataset.metainfo.get('palette') or [],
    )


def counted(
    test_set: SegmentationTestSet,
    folders: Sequence[Path],
    settings: BandSettings,
    progress: Callable[[int, int], None],
) -> list[SegmentationCounts]:
    """Return the counts of each folder of predictions.

    Args:
        test_set: What they are of.
        folders: Folders of ``tools/test.py --out``.
        settings: What is counted.
        progress: Told how many images are done, and of how many.
    """
    files = [test_set.predictions(folder) for folder in folders]
    rows: list[list[Any]] = [[] for _ in folders]
    for number, (image, path) in enumerate(test_set.labels.items(), 1):
        truth, objects = read_labels(path), None
        if settings.size_ranges_px:
            objects = read_labels(_object_map(path))
        for own, found in zip(rows, files, strict=True):
            try:
                counts = image_counts(
                    truth, read_labels(found[image]), settings, objects
                )
            except ValueError as error:
                raise UserError(
                    f'{found[image]}, for the labels {path}: {error}'
                ) from error
            own.append((counts.bands, counts.rims, counts.sizes))
        progress(number, len(test_set.labels))
    return [SegmentationCounts(*map(np.stack, zip(*own, strict=True))) for own in rows]


def mean_ious(
    test_set: SegmentationTestSet, folders: Mapping[Key, Path]
) -> dict[Key, float]:
    """Return the mIoU of each folder of predictions, over all images.

    Args:
        test_set: What they are of.
        folders: Folders of ``tools/test.py --out`` by anything.
    """
    settings = BandSettings(len(test_set.classes), (1,))
    counts = counted(test_set, list(folders.values()), settings, lambda *_: None)
    scores = (scores_of(own, (1,), 1)['mIoU'] for own in counts)
    return dict(zip(folders, map(float, scores), strict=True))


def _object_map(path: str) -> Path:
    parts = Path(path).parts
    if _OBJECTS[0] not in parts:
        raise UserError(
            f'{path}: sizes of objects need maps in {_OBJECTS[1]} beside {_OBJECTS[0]}'
        )
    return Path(*(_OBJECTS[1] if one == _OBJECTS[0] else one for one in parts))


def check_before(
    test_set: SegmentationTestSet,
    settings: BandSettings,
    named_width: float,
    num_resamples: int,
) -> None:
    """Refuse what cannot be compared, before minutes of counting."""
    if num_resamples < 2 or len(test_set.labels) < 2:
        raise UserError(
            'expected 2 resamples and 2 images at least, which intervals are made of, '
            f'got {num_resamples} and {len(test_set.labels)}'
        )
    if named_width not in settings.widths:
        raise UserError(
            f'expected one of the widths {list(settings.widths)} for error reductions, '
            f'got {named_width:g}'
        )


def compared(
    test_set: SegmentationTestSet,
    candidates: Mapping[str, Sequence[SegmentationCounts]],
    baseline: str,
    settings: BandSettings,
    named_width: float,
    num_resamples: int,
) -> dict[str, list[dict]]:
    """Return the tables of scores, differences and error reductions.

    Args:
        test_set: What the counts are of.
        candidates: Counts of each candidate, one a seed.
        baseline: The candidate that the others are compared with.
        settings: What was counted.
        named_width: The width of error reductions, one of those counted.
        num_resamples: Resamples of the images.
    """
    widest = settings.widths[-1]
    if not any(one.bands[:, :-1].any() for own in candidates.values() for one in own):
        raise UserError(
            f'no pixel is within {widest:g} of a boundary (kind {settings.kind!r}): '
            'for data without void pixels there is --kind labels'
        )
    records = comparison_records(
        candidates,
        baseline,
        settings.widths,
        named_width,
        test_set.classes,
        list(settings.size_ranges_px),
        num_resamples,
    )
    kinds = dict(
        scores='score',
        means='mean',
        differences='difference',
        error_reductions='error_reduction',
        best='best',
        undefined='undefined',
    )
    tables = {
        table: [row for row in records if row['kind'] == kind]
        for table, kind in kinds.items()
    }
    tables['boundary_images'] = rim_records(
        candidates, test_set.classes, list(test_set.images)
    )
    gains = [row for row in tables['differences'] if ' of ' in row['score']]
    tables['differences'] = [row for row in tables['differences'] if row not in gains]
    return {**tables, 'class_gains': gains}


def _read_image(path: str) -> np.ndarray:
    try:
        return mmcv.imread(path, channel_order='rgb')
    except Exception as error:  # OpenCV and mmcv raise what they like
        raise UserError(f'{path}: expected an image, it cannot be read') from error


def case_gains(
    first: Sequence[SegmentationCounts], second: Sequence[SegmentationCounts]
) -> np.ndarray:
    """Return (N,) how many per cent of an image's pixels more the second has right."""
    shares = []
    for seeds in (first, second):
        bands = np.mean([one.bands.sum(1) for one in seeds], axis=0)
        true = np.maximum(bands[:, TRUE].sum(-1), 1)
        shares.append(100 * bands[:, BOTH].sum(-1) / true)
    return shares[1] - shares[0]


def draw_case_pictures(
    test_set: SegmentationTestSet,
    folders: Mapping[str, Sequence[Path]],
    candidates: Mapping[str, Sequence[SegmentationCounts]],
    baseline: str,
    ignore_index: int,
    out: Path,
    num_cases: int = 4,
) -> list[Path]:
    """Draw the best gains and worst losses of each candidate; return the files.

    Means over seeds choose, the first seed of each is shown.

    Args:
        test_set: What the predictions are of.
        folders: Folders of predictions, one a seed.
        candidates: Their counts.
        baseline: The candidate that the others are compared with.
        ignore_index: The label of void pixels.
        out: The folder for the pictures.
        num_cases: Images in a picture, at most.
    """
    for path in out.glob('cases_*.png'):
        path.unlink()
    ids = list(test_set.images)
    seeds = {len(own) for own in folders.values()}
    shown = '' if seeds == {1} else ' (mean of seeds; shown: the first)'
    files = {name: test_set.predictions(own[0]) for name, own in folders.items()}
    written = []
    for name in candidates:
        if name == baseline:
            continue
        gains = case_gains(candidates[baseline], candidates[name])
        for key, sign in (('gains', 1), ('losses', -1)):
            order = np.argsort(-sign * gains, kind='stable')[:num_cases]
            cases = []
            for place in (k for k in order if sign * gains[k] > 0):
                image = ids[place]
                paths = [test_set.labels[image], files[baseline][image]]
                paths.append(files[name][image])
                maps = tuple(map(read_labels, paths))
                title = f'{Path(image).name}: {gains[place]:+.1f} % of pixels{shown}'
                picture = _read_image(test_set.images[image])
                cases.append(SegmentationCase(picture, title, maps))
            if cases:
                path = out / f'cases_{name}_{key}.png'
                names = (baseline, name)
                palette = test_set.palette
                draw_segmentation_cases(cases, names, palette, ignore_index, path)
                written.append(path)
    return written
