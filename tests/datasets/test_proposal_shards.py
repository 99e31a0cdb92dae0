"""Files of proposals: written and read, and what does not belong together is named."""

import dataclasses
import json

import numpy as np
import pytest
from toy_boxes import coco

from mmdetxfer.chips import PROPOSAL, TRUTH
from mmdetxfer.datasets import ChipDataset
from mmdetxfer.datasets.proposal_shards import (
    ProposalSet,
    hash_of_ids,
    open_folder,
    read_proposals,
    read_shard,
    shard_path,
    write_shard,
)
from mmdetxfer.errors import UserError

IDS = ['a', 'b', 'c']
WANTED = ProposalSet('hash', '[(9, 9)]', 3, hash_of_ids(IDS), 300, 0.7, 2)


def box(*starts):
    return np.array([[one, one, one + 5, one + 6] for one in starts], float).reshape(
        -1, 4
    )


@pytest.fixture
def folder(tmp_path):
    """Two shards: images with 2, 0 and 1 proposals."""
    folder = tmp_path / 'proposals'
    open_folder(folder, WANTED)
    write_shard(folder, 0, [box(1, 2), box()], [np.array([0.9, 0.8]), np.zeros(0)])
    write_shard(folder, 1, [box(3)], [np.array([0.7])])
    return folder


def test_all_shards_come_back_in_order(folder):
    assert WANTED.num_shards == 2 and list(WANTED.images_of(1)) == [2]
    offsets, boxes = read_proposals(folder, IDS)
    assert offsets.tolist() == [0, 2, 2, 3]
    assert boxes.tolist() == [[1, 1, 6, 7], [2, 2, 7, 8], [3, 3, 8, 9]]


def test_a_shard_that_is_damaged_counts_as_missing(folder):
    path = shard_path(folder, 0)
    whole = path.read_bytes()
    for content in (whole[:50], b'', whole[:200] + b'xxxx' + whole[204:]):
        path.write_bytes(content)
        assert read_shard(folder, 0, 2) is None
    with pytest.raises(UserError, match=r'1 of 2 shards .* first shard_00000.npz'):
        read_proposals(folder, IDS)
    path.write_bytes(whole)
    assert read_shard(folder, 0, 2) is not None and read_shard(folder, 0, 3) is None


def test_a_folder_of_other_proposals_is_refused(folder):
    open_folder(folder, WANTED)
    other = dataclasses.replace(WANTED, weights_sha256='new')
    with pytest.raises(UserError, match=r'another weights_sha256 \(hash, not new\)'):
        open_folder(folder, other)


def test_proposals_of_other_images_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match='another list of 3 images than the 2 of'):
        read_proposals(folder, IDS[:2])
    with pytest.raises(UserError, match='expected proposals with proposals.json'):
        read_proposals(tmp_path, IDS)
    manifest = folder / 'proposals.json'
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, 'version': 0}))
    with pytest.raises(UserError, match='expected version 1; make them again'):
        read_proposals(folder, IDS)


def chips(tmp_path, **options):
    images = [dict(width=90, height=80, boxes=[(1, 1, 20, 20)]) for _ in range(3)]
    plan = dict(scales=[(-1, 64)], valid_ranges=[(-1, -1)], chip_px=64)
    plan['num_negatives'] = options.pop('num_negatives', 0)
    (tmp_path / 'images').mkdir(exist_ok=True)
    return ChipDataset(coco(tmp_path / 'images', images), plan, [], **options)


def test_proposals_stand_behind_the_boxes_of_their_image(folder, tmp_path):
    """COCO's ids are 1 to 3; proposals end one further than their last pixel too."""
    manifest = folder / 'proposals.json'
    content = json.loads(manifest.read_text())
    content['images_sha256'] = hash_of_ids([1, 2, 3])
    manifest.write_text(json.dumps(content))
    table = chips(tmp_path, proposals=str(folder), num_negatives=2).box_table()
    assert table.offsets.tolist() == [0, 3, 4, 6]
    expected = [TRUTH, PROPOSAL, PROPOSAL, TRUTH, TRUTH, PROPOSAL]
    assert table.kinds.tolist() == expected
    assert table.boxes[1].tolist() == [1, 1, 5, 6]
    assert table.boxes[5].tolist() == [3, 3, 7, 8]
    assert table.boxes[4].tolist() == [1, 1, 20, 20]


def test_negative_chips_without_proposals_are_refused(tmp_path):
    with pytest.raises(UserError, match=r'negative chips \(num_negatives=2\) are cut'):
        chips(tmp_path, num_negatives=2)
