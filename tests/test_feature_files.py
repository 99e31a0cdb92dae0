"""Features on the disk: what a folder is of, and shards that are whole."""

from dataclasses import replace

import numpy as np
import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.feature_files import (
    FeatureManifest,
    is_whole,
    load_features,
    open_features,
    read_manifest,
    shard_path,
    write_shard,
)

KEY = 'Conv5 1x1'
MANIFEST = FeatureManifest(
    weights='hash',
    network='config',
    preprocessing='pipeline',
    layers=(KEY, 'FC1'),
    image_ids=('a', 'b', 'c', 'd', 'e'),
    labels=(0, 1, 0, 1, 1),
    classes=('x', 'y'),
    images_per_shard=2,
    batch_size=4,
)
FEATURES = np.arange(15, dtype=np.float32).reshape(5, 3)


def fill(folder):
    open_features(folder, MANIFEST)
    for shard in range(MANIFEST.num_shards):
        write_shard(folder, KEY, shard, FEATURES[MANIFEST.images_of(shard)])


def test_what_was_written_is_read(tmp_path):
    """Five images in shards of two: the last has one."""
    fill(tmp_path)
    assert MANIFEST.num_shards == 3
    assert read_manifest(tmp_path) == MANIFEST
    found = load_features(tmp_path, KEY)
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.labels.tolist() == [0, 1, 0, 1, 1]
    assert found.image_ids == MANIFEST.image_ids and found.classes == ('x', 'y')


def test_one_file_stays_where_it_is(tmp_path):
    manifest = replace(MANIFEST, images_per_shard=9, layers=(KEY,))
    open_features(tmp_path, manifest)
    write_shard(tmp_path, KEY, 0, FEATURES)
    assert isinstance(load_features(tmp_path, KEY).features, np.memmap)


def test_much_is_joined_on_the_disk_and_nothing_stays_there(tmp_path, monkeypatch):
    """15 numbers: more than 14, which may be in memory."""
    fill(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    for most, kind in ((14, np.memmap), (15, np.ndarray)):
        monkeypatch.setattr('mmdetxfer.feature_files._MOST_IN_MEMORY', most)
        features = load_features(tmp_path, KEY).features
        np.testing.assert_array_equal(features, FEATURES)
        assert type(features) is kind
        assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize(
    'name, value',
    [
        ('weights', 'other'),
        ('network', 'other'),
        ('preprocessing', 'other'),
        ('layers', (KEY,)),
        ('image_ids', ('a', 'b', 'c', 'e', 'd')),
        ('labels', (0, 1, 0, 1, 0)),
        ('classes', ('x', 'z')),
        ('images_per_shard', 3),
        ('batch_size', 3),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, name, value):
    open_features(tmp_path, MANIFEST)
    open_features(tmp_path, MANIFEST)
    with pytest.raises(UserError, match=f'it holds features of another {name}; name'):
        open_features(tmp_path, replace(MANIFEST, **{name: value}))


def test_a_damaged_or_unvouched_shard_counts_as_missing(tmp_path):
    """Cut off, changed in a byte, or killed before its hash was written."""
    fill(tmp_path)
    paths = [shard_path(tmp_path, KEY, k) for k in range(3)]
    assert all(is_whole(tmp_path, KEY, k) for k in range(3))
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[:-1])
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b'x')
    (paths[2].parent / f'{paths[2].name}.sha256').unlink()
    assert not any(is_whole(tmp_path, KEY, k) for k in range(3))
    with pytest.raises(UserError, match='3 of 3 shards of Conv5 1x1 are missing or'):
        load_features(tmp_path, KEY)
    assert not is_whole(tmp_path, 'FC1', 0)


def test_what_is_no_folder_of_features(tmp_path):
    with pytest.raises(UserError, match='expected features with features.json, there'):
        read_manifest(tmp_path)
    path = tmp_path / 'features.json'
    for text, said in (
        ('{', 'expected a manifest, got'),
        ('{"version": 0}', 'expected version 2'),
        ('{"version": 2, "weights": "x"}', 'missing .* required .* make them again'),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=said):
            read_manifest(tmp_path)
    path.unlink()
    fill(tmp_path)
    with pytest.raises(UserError, match="of 'FC2', it has 'Conv5 1x1', 'FC1'"):
        load_features(tmp_path, 'FC2')
