"""tools/probe.py on a target whose images have boxes: groups by their objects."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
from tool_runner import CLS, REPOSITORY

from mmdetxfer.feature_files import load_features
from mmdetxfer.worlds.imagenet_loc import write

DATA = 'configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'
PLAN = f"""
baseline = 'plain'
candidates = dict(plain=dict(config={str(CLS)!r}))
targets = dict(boxes=dict(config='data.py'))
layers = ['Conv5']
strengths = [10.0]
shots = []
"""
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


@pytest.fixture
def out(tools, here):
    """The records of 24 images of the world, which 60 others are learnt from."""
    write(here / 'ILSVRC', {'train': 60, 'val': 24}, 0)
    loaders = ''.join(
        f"{part}_dataloader = dict(dataset=dict(data_root='ILSVRC'))\n"
        for part in ('train', 'test')
    )
    text = f'_base_ = {str(REPOSITORY / DATA)!r}\n{loaders}'
    (here / 'data.py').write_text(text)
    (here / 'plan.py').write_text(PLAN)
    words = ('plan.py', '--work-dir', 'out', '--resamples', '50')
    tools('probe.py', *words, cwd=here)
    return here / 'out'


def objects_in(path):
    """Return how many objects a file names, and the share of pixels in any box.

    ImageNet's corners count from 0, the last pixel is inside.
    """
    root = ElementTree.parse(path)
    size = [int(root.findtext(f'size/{one}')) for one in ('height', 'width')]
    is_covered = np.zeros(size, dtype=bool)
    boxes = root.findall('object/bndbox')
    for box in boxes:
        x1, y1, x2, y2 = (int(box.findtext(corner)) for corner in CORNERS)
        is_covered[y1 : y2 + 1, x1 : x2 + 1] = True
    return len(boxes), is_covered.mean()


def test_scores_of_groups_are_those_of_their_images(out):
    """Counted and painted from the XML files, and no image left out."""
    ids = load_features(out / 'features/boxes/plain/seed_0/test', 'Conv5 1x1').image_ids
    fit = out / 'probes/boxes/plain/seed_0/Conv5-1x1.json'
    is_right = np.array(json.loads(fit.read_text())['right'])
    folder = out.parent / 'ILSVRC/Annotations/CLS-LOC/val'
    files = {path.stem: path for path in folder.rglob('*.xml')}
    found = [objects_in(files[Path(one).stem]) for one in ids]
    counts, shares = (np.array(column) for column in zip(*found, strict=True))
    expected = {
        'all': counts > 0,
        'instances 1': counts == 1,
        'instances 2': counts == 2,
        'instances 3+': counts > 2,
        'instances 2+': counts > 1,
        'share to 0.2': shares <= 0.2,
        'share over 0.2': shares > 0.2,
    }
    ends = (0, 0.05, 0.1, 0.2, 0.4, 1)
    for low, high in zip(ends, ends[1:], strict=False):
        name = 'share 0.4+' if high == 1 else f'share {low:g} to {high:g}'
        expected[name] = (shares > low) & (shares <= high)
    rows = [json.loads(line) for line in (out / 'records.jsonl').open()]
    rows = [row for row in rows if row.get('table') == 'probes']
    scores = {
        row['group']: (row['num_images'], row['value'])
        for row in rows
        if row['kind'] == 'score' and row['score'] == 'top-1'
    }
    for first, second in (
        ('instances 2+', 'instances 1'),
        ('share to 0.2', 'share over 0.2'),
    ):
        means = [is_right[expected[group]].mean() for group in (first, second)]
        num_images, difference = scores.pop(f'{first} - {second}')
        assert num_images == expected[first].sum()
        assert difference == pytest.approx(means[0] - means[1])
    assert scores == {
        group: (inside.sum(), pytest.approx(is_right[inside].mean()))
        for group, inside in expected.items()
        if inside.any()
    }
    assert len(scores) > 8 and 0 < is_right.sum() < 24
    height, width, _ = cv2.imread(str(out / 'objects.png')).shape
    assert width > 2 * height > 0
