"""Reads raw VOC and COCO annotation files into columns, with nothing left out.

The hosts' readers drop objects of unknown name, of no area or outside the image without
a word, so an audit has to read the files itself. Boxes come out as the readers take
them: VOC corners less 1, COCO's x, y, width, height as corners. What cannot be read is
a finding, never an end.
"""

import json
import mmap
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import AuditTable, Reason, audit_ids

UNKNOWN_SIZE = (np.nan, np.nan)
_MOST_CATEGORY_BYTES = 1 << 22


class Columns:
    """Collects images and objects one by one for an :class:`Annotations`."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.sizes: list[tuple[float, float]] = []
        self.label_map_paths: list[str] = []
        self._object_images: list[int] = []
        self._object_classes: list[int] = []
        self._boxes: list[Sequence[float]] = []
        self._index_of_class: dict[str, int] = {}

    def add_image(self, path: str, size: tuple[float, float] = UNKNOWN_SIZE) -> int:
        """Add an image; return its index."""
        self.paths.append(str(path))
        self.sizes.append(size)
        return len(self.paths) - 1

    def add_object(
        self, image: int, name: str, box: Sequence[float] | None = None
    ) -> None:
        """Add an object of an image; either all objects have a box or none has."""
        index = self._index_of_class.setdefault(name, len(self._index_of_class))
        self._object_images.append(image)
        self._object_classes.append(index)
        if box is not None:
            self._boxes.append(box)

    def annotations(self, **more: Any) -> Annotations:
        """Return the columns; ``more`` are further ones."""
        boxes = np.array(self._boxes, dtype=float).reshape(-1, 4)
        return Annotations(
            image_paths=self.paths,
            image_sizes=np.array(self.sizes, dtype=float).reshape(-1, 2),
            object_images=np.array(self._object_images, dtype=np.int64),
            object_classes=np.array(self._object_classes, dtype=np.int64),
            class_names=list(self._index_of_class),
            boxes=boxes if len(boxes) == len(self._object_images) else None,
            label_map_paths=self.label_map_paths or None,
            **more,
        )


def read_voc(
    files: Iterable[tuple[str, str]], table: AuditTable, where: str, with_boxes: bool
) -> Annotations:
    """Read one VOC XML file an image.

    Args:
        files: Image file and XML file of each image.
        table: What findings are added to.
        where: Name of the split, for the examples.
        with_boxes: Whether objects need a box.
    """
    columns = Columns()
    for image_file, xml_file in files:
        try:
            root = ElementTree.parse(xml_file).getroot()
            size = _voc_size(root)
            objects = [_voc_object(node, with_boxes) for node in root.findall('object')]
        except (OSError, ElementTree.ParseError, ValueError) as error:
            table.add(Reason.ANNOTATION, f'{where}: {xml_file}: {why(error)}')
            size, objects = UNKNOWN_SIZE, []
        image = columns.add_image(image_file, size)
        for name, box in objects:
            columns.add_object(image, name, box)
    return columns.annotations()


def read_coco(
    file: str, image_folder: str, classes: Sequence[str], table: AuditTable, where: str
) -> Annotations:
    """Read a COCO, LVIS or COCO panoptic JSON file.

    Args:
        file: The JSON file.
        image_folder: What its file names are relative to.
        classes: The config's classes; mmdet numbers those that it finds in the file by
            their order in the file.
        table: What findings are added to.
        where: Name of the split, for the examples.
    """
    columns = Columns()
    try:
        content = json.loads(Path(file).read_bytes())
        objects = _coco_objects(content.get('annotations', []))
        index_of = {}
        for image in content['images']:
            size = (image.get('width', np.nan), image.get('height', np.nan))
            path = str(Path(image_folder, _coco_file_name(image)))
            index_of[image['id']] = columns.add_image(path, size)
        names = {one['id']: one['name'] for one in content['categories']}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        table.add(Reason.ANNOTATION, f'{where}: {file}: {why(error)}')
        return Columns().annotations()
    audit_ids(table, [one['id'] for one in content['images']], 'image', where)
    audit_ids(table, [one['id'] for one in content['categories']], 'category', where)
    audit_ids(table, [one.get('id') for one in objects], 'annotation', where)
    for one in objects:
        problem = _add_coco_object(columns, one, index_of, names)
        if problem:
            text = f'{where}: {file}: annotation {one.get("id")}: {problem}'
            table.add(Reason.ANNOTATION, text)
    known = set(classes)
    return columns.annotations(
        listed_classes=[name for name in names.values() if name in known]
    )


def listed_coco_classes(file: str) -> list[str]:
    """Return the categories' names of a JSON file of any size without parsing the rest.

    Returns:
        The names in the file's order; none if no list of categories is found.
    """
    if not Path(file).is_file() or Path(file).stat().st_size == 0:
        return []
    with (
        open(file, 'rb') as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        key = content.rfind(b'"categories"')
        start = content.find(b'[', key)
        if key < 0 or start < 0:
            return []
        text = content[start : start + _MOST_CATEGORY_BYTES].decode(errors='replace')
    try:
        categories, _ = json.JSONDecoder().raw_decode(text)
        return [one['name'] for one in categories]
    except (ValueError, KeyError, TypeError):
        return []


def why(error: Exception) -> str:
    """Say in one line what an error means."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f'no {error}'
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _voc_size(root: ElementTree.Element) -> tuple[float, float]:
    if root.find('size') is None:
        return UNKNOWN_SIZE
    return float(_text(root, 'size/width')), float(_text(root, 'size/height'))


def _voc_object(node: ElementTree.Element, with_box: bool) -> tuple[str, list | None]:
    name = _text(node, 'name')
    if not with_box:
        return name, None
    sides = ('xmin', 'ymin', 'xmax', 'ymax')
    return name, [float(_text(node, f'bndbox/{side}')) - 1 for side in sides]


def _text(node: ElementTree.Element, path: str) -> str:
    text = node.findtext(path)
    if not text or not text.strip():
        raise ValueError(f'<{node.tag}> without <{path}>')
    return text


def _coco_file_name(image: dict) -> str:
    """Return an image's file as mmdet's COCO and LVIS readers name it."""
    if 'file_name' not in image:
        # LVIS 1 gives an address whose last two parts are folder and file.
        return '/'.join(image['coco_url'].split('/')[-2:])
    name = image['file_name']
    # LVIS 0.5 has COCO 2014's names for the files of 2017.
    is_old_lvis = 'neg_category_ids' in image and name.startswith('COCO_')
    return name[-len('000000000000.jpg') :] if is_old_lvis else name


def _coco_objects(annotations: list[dict]) -> list[dict]:
    """Return the objects; a panoptic annotation holds those of a whole image."""
    flat = []
    for one in annotations:
        segments = one.get('segments_info')
        if segments is None:
            flat.append(one)
        else:
            flat.extend({**s, 'image_id': one['image_id']} for s in segments)
    return flat


def _add_coco_object(
    columns: Columns, one: dict, index_of: dict, names: dict
) -> str | None:
    """Add an object; return why it cannot be, or None."""
    if one.get('image_id') not in index_of:
        return f'image id {one.get("image_id")} is not among the images'
    try:
        x, y, width, height = (float(value) for value in one['bbox'])
        category = one['category_id']
    except (KeyError, TypeError, ValueError) as error:
        return why(error)
    name = names.get(category, f'category id {category}')
    columns.add_object(index_of[one['image_id']], name, (x, y, x + width, y + height))
    return None
