"""The tables of OpenImages that mmdet does not read, and the writer's own promises.

As in ``test_openimages``, what must come out is drawn again; only ids are asked for.
"""

import base64
import csv
import hashlib
import json

import numpy as np
import pytest

from mmdetxfer.worlds import openimages
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 3
SIZES = {'train': 20, 'val': 6}
SUBSETS = {'train': 'train', 'val': 'validation'}


def draw_again(split):
    stream = stream_seed(SEED, 'openimages', split)
    return {
        openimages.image_id(stream, index): draw_scene(stream, index, 'source')
        for index in range(SIZES[split])
    }


DRAWN = {split: draw_again(split) for split in SIZES}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'OpenImages'
    openimages.write(folder, SIZES, SEED)
    return folder


def read_csv(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_the_official_tables_have_the_official_columns_and_equal_rows(root):
    folder = root / 'annotations'
    v4 = read_csv(folder / 'train-annotations-bbox.csv')
    v6 = read_csv(folder / 'oidv6-train-annotations-bbox.csv')
    columns = (
        'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,'
        'IsTruncated,IsGroupOf,IsDepiction,IsInside'
    ).split(',')
    assert list(v4[0]) == columns
    assert [{key: row[key] for key in columns} for row in v6] == v4
    assert len(v4) == sum(len(scene.objects) for scene in DRAWN['train'].values())
    assert [row['ImageID'] for row in v4] == sorted(row['ImageID'] for row in v4)


def test_the_extreme_points_of_v6_are_points_of_the_object_on_its_box(root):
    rows = read_csv(root / 'annotations' / 'oidv6-train-annotations-bbox.csv')
    objects = [
        (scene, number)
        for _, scene in sorted(DRAWN['train'].items())
        for number in range(len(scene.objects))
    ]
    for row, (scene, number) in zip(rows, objects, strict=True):
        height, width = scene.image.shape[:2]
        ys, xs = np.nonzero(scene.instances == number + 1)
        expected = [
            (xs[ys == ys.min()].mean() + 0.5, ys.min()),
            (xs.min(), ys[xs == xs.min()].mean() + 0.5),
            (xs[ys == ys.max()].mean() + 0.5, ys.max() + 1),
            (xs.max() + 1, ys[xs == xs.max()].mean() + 0.5),
        ]
        found = [
            (float(row[f'XClick{i}X']) * width, float(row[f'XClick{i}Y']) * height)
            for i in (1, 2, 3, 4)
        ]
        np.testing.assert_allclose(found, expected, atol=3e-4)


@pytest.mark.parametrize(
    ('split', 'table'),
    [
        ('train', 'train-images-boxable-with-rotation.csv'),
        ('val', 'validation-images-with-rotation.csv'),
    ],
)
def test_the_image_tables_name_size_and_hash_of_each_file(root, split, table):
    rows = read_csv(root / 'annotations' / table)
    assert [row['ImageID'] for row in rows] == sorted(DRAWN[split])
    for row in rows:
        path = root / 'OpenImages' / SUBSETS[split] / f'{row["ImageID"]}.jpg'
        data = path.read_bytes()
        assert row['Subset'] == SUBSETS[split]
        assert int(row['OriginalSize']) == len(data)
        assert base64.b64decode(row['OriginalMD5']) == hashlib.md5(data).digest()


def test_the_challenges_official_table_has_the_boxes_of_v4(root):
    v4 = read_csv(root / 'annotations' / 'validation-annotations-bbox.csv')
    path = root / 'challenge2019' / 'challenge-2019-validation-detection-bbox.csv'
    challenge = read_csv(path)
    columns = 'ImageID LabelName XMin XMax YMin YMax IsGroupOf'.split()
    assert list(challenge[0]) == columns
    assert challenge == [{key: row[key] for key in columns} for row in v4]


def test_the_attributes_tell_what_each_box_shows(root):
    for split, scenes in DRAWN.items():
        lines = (root / f'attributes_{split}.jsonl').read_text().splitlines()
        records = {record['image_id']: record for record in map(json.loads, lines)}
        assert sorted(records) == sorted(scenes)
        for name, scene in scenes.items():
            found = [item['texture_family'] for item in records[name]['objects']]
            assert found == [item.texture_family for item in scene.objects]


def test_another_seed_draws_other_images_and_the_same_seed_the_same_files(tmp_path):
    def files(name, seed):
        folder = tmp_path / name
        openimages.write(folder, {'val': 2}, seed)
        found = [path for path in folder.rglob('*') if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    first = files('first', 1)
    assert files('again', 1) == first
    assert set(files('other', 2)) != set(first)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"\['train', 'val', 'test'\], got \['trainval'\]"
    ):
        openimages.write(tmp_path, {'trainval': 1}, SEED)
