"""Images with hand-placed boxes, in COCO's and in VOC's format."""

import json
from pathlib import Path

import cv2
import numpy as np

VOC_XML = """<annotation><filename>{name}.jpg</filename>
<size><width>{width}</width><height>{height}</height><depth>3</depth></size>
{objects}</annotation>"""
VOC_OBJECT = """<object><name>cat</name><difficult>{difficult}</difficult><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def write_image(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """Write smooth random pixels, without loss."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(small, (width, height)))
    return path


def coco(folder: Path, images: list[dict]) -> dict:
    """Write images and boxes; return the config of a data set that reads them.

    Args:
        folder: Where to.
        images: Each with width, height and boxes: (x, y, w, h) or (x, y, w, h, True)
            for a crowd.
    """
    entries, annotations = [], []
    for number, image in enumerate(images, 1):
        size = dict(width=image['width'], height=image['height'])
        write_image(folder / f'{number}.png', **size, seed=number)
        entries.append(dict(id=number, file_name=f'{number}.png', **size))
        for box in image['boxes']:
            x, y, w, h, *crowd = box
            polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
            one = dict(image_id=number, category_id=1, bbox=[x, y, w, h], area=w * h)
            one.update(iscrowd=int(bool(crowd)), segmentation=[polygon])
            annotations.append(dict(id=len(annotations) + 1, **one))
    content = dict(images=entries, annotations=annotations)
    content['categories'] = [dict(id=1, name='cat')]
    (folder / 'all.json').write_text(json.dumps(content))
    return dict(
        type='mmdet.CocoDataset',
        data_root=str(folder),
        ann_file='all.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat',)),
    )


def voc(folder: Path, images: list[dict]) -> dict:
    """Write the same in VOC's format; boxes are (xmin, ymin, xmax, ymax), from 1.

    A fifth value marks a difficult object.
    """
    root = folder / 'VOC2007'
    for part in ('Annotations', 'ImageSets/Main'):
        (root / part).mkdir(parents=True, exist_ok=True)
    names = [f'{number:06d}' for number in range(1, len(images) + 1)]
    for name, image in zip(names, images, strict=True):
        size = dict(width=image['width'], height=image['height'])
        write_image(root / 'JPEGImages' / f'{name}.jpg', **size)
        objects = ''.join(
            VOC_OBJECT.format(*box[:4], difficult=int(len(box) > 4))
            for box in image['boxes']
        )
        xml = VOC_XML.format(name=name, objects=objects, **size)
        (root / 'Annotations' / f'{name}.xml').write_text(xml)
    (root / 'ImageSets/Main/all.txt').write_text('\n'.join(names) + '\n')
    return dict(
        type='mmdet.VOCDataset',
        data_root=f'{folder}/',
        ann_file='VOC2007/ImageSets/Main/all.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
    )
