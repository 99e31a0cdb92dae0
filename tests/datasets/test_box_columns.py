"""Boxes of any of the hosts' data sets as columns, in inclusive corners."""

import numpy as np
import pytest
from mmdet.utils import register_all_modules
from mmengine.registry import DATASETS
from PIL import Image
from toy_boxes import coco, voc, write_image

from mmdetxfer.chips import IGNORED, TRUTH
from mmdetxfer.datasets import box_columns
from mmdetxfer.datasets.box_columns import Reporter, box_table
from mmdetxfer.datasets.image_files import header_size
from mmdetxfer.errors import UserError

register_all_modules(init_default_scope=False)
SIZE = dict(width=80, height=60)


def table_of(config):
    dataset = DATASETS.build(config)
    dataset.full_init()
    return box_table(dataset)


def test_a_coco_box_ends_a_pixel_earlier_and_a_crowd_is_ignored(tmp_path):
    """x 10, width 30: the pixels 10 to 39."""
    boxes = [(10, 20, 30, 40), (0, 0, 5, 6, True)]
    images = [
        dict(**SIZE, boxes=boxes),
        dict(width=33, height=44, boxes=[(1, 2, 3, 4)]),
    ]
    table = table_of(coco(tmp_path, images))
    assert table.boxes.tolist() == [[10, 20, 39, 59], [0, 0, 4, 5], [1, 2, 3, 5]]
    assert table.kinds.tolist() == [TRUTH, IGNORED, TRUTH]
    assert table.offsets.tolist() == [0, 2, 3]
    assert (table.widths.tolist(), table.heights.tolist()) == ([80, 33], [60, 44])


def test_a_voc_box_counts_from_1_and_a_difficult_object_is_ignored(tmp_path):
    boxes = [(11, 21, 40, 60), (1, 1, 5, 6, 'difficult')]
    table = table_of(voc(tmp_path, [dict(**SIZE, boxes=boxes)]))
    assert table.boxes.tolist() == [[10, 20, 39, 59], [0, 0, 4, 5]]
    assert table.kinds.tolist() == [TRUTH, IGNORED]


def test_wrappers_are_read_through_and_a_repeated_image_has_another_key(tmp_path):
    inner = coco(tmp_path, [dict(**SIZE, boxes=[(10, 20, 30, 30)])] * 2)
    repeated = dict(type='mmdet.RepeatDataset', times=2, dataset=inner)
    repeated['type'] = 'RepeatDataset'
    joined = table_of(dict(type='ConcatDataset', datasets=[repeated, inner]))
    assert len(joined) == 6 and len(set(joined.keys.tolist())) == 6
    # The first occurrence of an image has the key that it has alone.
    assert joined.keys[:2].tolist() == table_of(inner).keys.tolist()


def test_boxes_of_two_kinds_in_one_set_are_refused(tmp_path):
    one = coco(tmp_path / 'coco', [dict(**SIZE, boxes=[(1, 1, 5, 5)])])
    other = voc(tmp_path / 'voc', [dict(**SIZE, boxes=[(1, 1, 5, 5)])])
    with pytest.raises(UserError, match='joins some whose boxes end with their last'):
        table_of(
            dict(type='ConcatDataset', datasets=[one, other], ignore_keys=list(KEYS))
        )


KEYS = ('classes', 'palette', 'dataset_type', 'DATASET_TYPE', 'CLASSES', 'PALETTE')


class Infos(list):
    metainfo: dict = {}

    def get_data_info(self, index):
        return self[index]


def test_a_set_without_boxes_is_refused():
    with pytest.raises(UserError, match='item 0 of Infos has no instances with boxes'):
        box_table(Infos([dict(img_id=1, gt_label=3)]))


@pytest.mark.parametrize('flag', ['is_group_of', 'is_group_ofs', 'ignore_flag'])
def test_groups_drive_no_chips(flag):
    """mmdet's readers of OpenImages set no ignore_flag for them."""
    box = dict(bbox=[1, 1, 9, 9], bbox_label=0, ignore_flag=0)
    info = dict(img_id=1, width=20, height=20, instances=[box, {**box, flag: True}])
    assert box_table(Infos([info])).kinds.tolist() == [TRUTH, IGNORED]


def test_sizes_that_the_annotation_lacks_come_from_the_headers(tmp_path):
    path = write_image(tmp_path / 'x.jpg', 40, 30)
    turned = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(turned, exif=exif)
    infos = [dict(img_id=p.name, img_path=str(p), instances=[]) for p in (path, turned)]
    table = box_table(Infos([*infos, dict(img_id=3, width=7, height=8, instances=[])]))
    assert table.widths.tolist() == [40, 30, 7]
    assert table.heights.tolist() == [30, 40, 8]
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    assert header_size(str(tmp_path / 'broken.jpg')) is None
    box = dict(bbox=[1, 1, 9, 9], bbox_label=0, ignore_flag=0)
    broken = dict(img_id=4, img_path=str(tmp_path / 'broken.jpg'), instances=[box])
    table = box_table(Infos([dict(infos[0], instances=[box]), broken]))
    assert table.kinds.tolist() == [TRUTH, IGNORED]


def test_a_long_reading_says_how_far_it_is(monkeypatch):
    said = []
    report = Reporter('reading', said.append)
    report(1, 1000)
    assert said == []
    monkeypatch.setattr(box_columns, '_SECONDS_BETWEEN_REPORTS', -1.0)
    report = Reporter('reading', said.append)
    report(20, 2000)
    assert said == ['reading: 20 of 2,000']


def test_an_empty_set_is_an_empty_table():
    table = box_table(Infos([]))
    assert len(table) == 0 and table.boxes.shape == (0, 4)
    assert np.array_equal(table.offsets, [0])
