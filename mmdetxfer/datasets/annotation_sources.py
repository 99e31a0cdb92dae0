"""From a host's data set to what its annotation files say.

The data set is built without loading, so that it only tells where its files are; those
of known layouts are read raw, others through the host's own reader.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from mmdetxfer.datasets.annotation_files import (
    UNKNOWN_SIZE,
    Columns,
    read_coco,
    read_voc,
    why,
)
from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import AuditTable, Reason
from mmdetxfer.datasets.openimages_files import (
    read_openimages,
    read_openimages_challenge,
    read_pickled_sizes,
)
from mmdetxfer.errors import UserError


def read_annotations(dataset: Any, table: AuditTable, where: str) -> Annotations:
    """Return what the annotation of a data set says.

    Args:
        dataset: A host's data set, built with ``lazy_init=True``.
        table: What findings are added to.
        where: Name of the split, for the examples.
    """
    kinds = host_kinds(dataset)
    for kind, read in _READERS.items():
        if kind in kinds:
            return read(dataset, table, where)
    return _through_the_host(dataset, table, where)


def host_kinds(dataset: Any) -> set[str]:
    """Return the classes that a data set descends from, as 'package.Name'."""
    return {f'{c.__module__.split(".")[0]}.{c.__name__}' for c in type(dataset).__mro__}


def config_classes(dataset: Any) -> tuple[str, ...]:
    """Return the classes that the labels stand for; none if the data set names none."""
    metainfo = dataset.metainfo
    # mmdet's ConcatDataset of unlike data sets keeps a list.
    metainfo = metainfo[0] if isinstance(metainfo, list) else metainfo
    return tuple(metainfo.get('classes') or ())


def labels_of(info: dict) -> list[int] | None:
    """Return the labels of a sample's info; None if it has none of its own."""
    if 'instances' in info:
        return [int(one['bbox_label']) for one in info['instances']]
    if info.get('gt_label') is not None:
        return [int(label) for label in np.atleast_1d(info['gt_label'])]
    return None


def voc_files(dataset: Any, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return image file and XML file of each id of an mmdet or mmpretrain VOC set."""
    if 'mmdet.XMLDataset' in host_kinds(dataset):
        root = dataset.sub_data_root
        images, xmls = Path(root, dataset.img_subdir), Path(root, dataset.ann_subdir)
    else:
        images, xmls = Path(dataset.img_prefix), Path(dataset.ann_prefix)
    return [(str(images / f'{one}.jpg'), str(xmls / f'{one}.xml')) for one in ids]


def listed_lines(file: str, table: AuditTable, where: str) -> list[str]:
    """Return a text file's lines; a file that cannot be read is a finding."""
    try:
        return Path(file).read_text().splitlines()
    except (OSError, ValueError) as error:
        table.add(Reason.ANNOTATION, f'{where}: {file}: {why(error)}')
        return []


def folder_classes(dataset: Any) -> list[str] | None:
    """Return the folders that give mmpretrain's labels, or None.

    Folders that share no name with the config's classes (synset ids, say) are named
    otherwise, and say nothing about the order.
    """
    if dataset.ann_file or not dataset.with_label:
        return None
    root = Path(dataset.img_prefix)
    if not root.is_dir():
        return None
    folders = sorted(one.name for one in root.iterdir() if one.is_dir())
    return folders if set(folders) & set(config_classes(dataset)) else None


def _xml_boxes(dataset: Any, table: AuditTable, where: str) -> Annotations:
    ids = listed_lines(dataset.ann_file, table, where)
    return read_voc(voc_files(dataset, ids), table, where, with_boxes=True)


def _xml_labels(dataset: Any, table: AuditTable, where: str) -> Annotations:
    ids = listed_lines(dataset.image_set_path, table, where)
    return read_voc(voc_files(dataset, ids), table, where, with_boxes=False)


def _coco(dataset: Any, table: AuditTable, where: str) -> Annotations:
    folder = dataset.data_prefix.get('img', '')
    classes = config_classes(dataset)
    return read_coco(dataset.ann_file, folder, classes, table, where)


def _openimages(dataset: Any, table: AuditTable, where: str) -> Annotations:
    is_challenge = 'mmdet.OpenImagesChallengeDataset' in host_kinds(dataset)
    read = read_openimages_challenge if is_challenge else read_openimages
    folder = dataset.data_prefix.get('img', '')
    found = read(dataset.ann_file, dataset.label_file, folder, table, where)
    sizes = read_pickled_sizes(dataset.meta_file, table, where)
    for index, path in enumerate(found.image_paths):
        found.image_sizes[index] = sizes.get(Path(path).name, UNKNOWN_SIZE)
    return found


def _sun(dataset: Any, table: AuditTable, where: str) -> Annotations:
    columns = Columns()
    for line in listed_lines(dataset.ann_file, table, where):
        image = columns.add_image(
            str(Path(dataset.img_prefix, line.strip().lstrip('/')))
        )
        columns.add_object(image, '_'.join(line.split('/')[2:-1]))
    return columns.annotations()


def _folders(dataset: Any, table: AuditTable, where: str) -> Annotations:
    listed = folder_classes(dataset)
    names = listed or config_classes(dataset)
    return _through_the_host(dataset, table, where, names, listed_classes=listed)


def _through_the_host(
    dataset: Any,
    table: AuditTable,
    where: str,
    names: Sequence[str] | None = None,
    **more: Any,
) -> Annotations:
    """Read what the host's own reader hands on, for layouts that are not known here."""
    columns = Columns()
    if not load(dataset, table, where):
        return columns.annotations(**more)
    classes = names or config_classes(dataset)
    # How mmdet's semantic sets read their label maps stands in their transforms.
    has_label_maps = 'mmseg.BaseSegDataset' in host_kinds(dataset)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if not isinstance(info.get('img_path'), str):
            raise UserError(
                f'{type(dataset).__name__}: expected an image file (img_path) of each '
                'sample, there is none; only data sets of image files can be audited'
            )
        size = (info.get('width', np.nan), info.get('height', np.nan))
        image = columns.add_image(info['img_path'], size)
        if info.get('seg_map_path') and has_label_maps:
            columns.label_map_paths.append(info['seg_map_path'])
        boxes = [one.get('bbox') for one in info.get('instances', [])]
        for position, label in enumerate(labels_of(info) or []):
            is_known = 0 <= label < len(classes)
            name = classes[label] if is_known else f'label {label}'
            columns.add_object(image, name, boxes[position] if boxes else None)
    return columns.annotations(**more)


def load(dataset: Any, table: AuditTable, where: str) -> bool:
    """Let the host's reader load its annotation; a reader that stops is a finding."""
    try:
        # pycocotools prints what it does.
        with redirect_stdout(io.StringIO()):
            dataset.full_init()
    # A reader may stop with any error at all.
    except Exception as error:
        said = f'{type(dataset).__name__}: {type(error).__name__}: {why(error)}'
        table.add(Reason.READER, f'{where}: {said}')
        return False
    return True


_READERS = {
    'mmdet.XMLDataset': _xml_boxes,
    'mmdet.CocoDataset': _coco,
    'mmdet.OpenImagesDataset': _openimages,
    'mmpretrain.VOC': _xml_labels,
    'mmpretrain.SUN397': _sun,
    'mmpretrain.CustomDataset': _folders,
}
