"""TrimapMetric through the test tool: beside mmseg's own metric, one rank and two."""

import json

import pytest
from tool_runner import SEG

KEYS = "('img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'object_map')"
CHILD = """
_base_ = {config!r}
test_pipeline = [
    dict(type='LoadImageFromFile'),
    {before}
    dict(type='Resize', scale=(96, 96), keep_ratio=True),
    {behind}
    dict(type='mmdetxfer.LoadObjectMap'),
    dict(type='PackSegInputs', meta_keys={keys}),
]
test_dataloader = dict(batch_size=1, dataset=dict(pipeline=test_pipeline, indices=3))
test_evaluator = [
    dict(_delete_=True, type='IoUMetric', iou_metrics=['mIoU']),
    dict(
        type='mmdetxfer.TrimapMetric',
        widths=[1, 2, 5],
        size_ranges_px=dict(small=(0, 48), large=(48, 9999)),
    ),
]
"""
LABELS = "dict(type='LoadAnnotations'),"


@pytest.fixture
def scores(tools, here, trained):
    def run(name, before='', behind=LABELS, ranks=1, fails=False, **changes):
        text = CHILD.format(config=str(SEG), before=before, behind=behind, keys=KEYS)
        for old, new in changes.items():
            text = text.replace(old, new)
        child = here / f'{name}.py'
        child.write_text(text.replace('_delete_=True, ', ''))
        checkpoint = (trained[SEG] / 'last_checkpoint').read_text()
        arguments = (child, checkpoint, '--work-dir', name)
        ended = tools('test.py', *arguments, cwd=here, ranks=ranks, fails=fails)
        if fails:
            return ended.printed
        (file,) = (here / name).glob('*/*.json')
        return json.loads(file.read_text())

    return run


def test_one_rank_and_two_count_the_same(scores):
    """Of three images the last batch of two ranks is padded."""
    alone, two = scores('alone'), scores('two', ranks=2)
    mine = {k: v for k, v in alone.items() if k.startswith('trimap/')}
    assert mine == {k: v for k, v in two.items() if k.startswith('trimap/')}
    assert alone['mIoU'] == two['mIoU']
    assert {'trimap/mIoU_inside_5', 'trimap/mAcc_outside_1'} <= mine.keys()
    assert 'trimap/mAcc_small' in mine and 'trimap/boundary_mIoU' in mine
    assert mine['trimap/num_classes'] > 3
    # mmseg rounds to two decimals of per cents.
    assert 100 * mine['trimap/aAcc'] == pytest.approx(alone['aAcc'], abs=0.0051)
    assert 100 * mine['trimap/mAcc'] == pytest.approx(alone['mAcc'], abs=0.0051)


def test_scores_at_the_resized_size_differ(scores):
    resized = dict(before=LABELS, behind="dict(type='mmdetxfer.ScoreAtResizedSize'),")
    # Objects have the size of the image on the disk.
    without = {
        "    dict(type='mmdetxfer.LoadObjectMap'),\n": '',
        '        size_ranges_px=dict(small=(0, 48), large=(48, 9999)),\n': '',
        ", 'object_map'": '',
    }
    small = scores('small', **resized, **without)
    whole = scores('whole', **without)
    assert small['trimap/aAcc'] != whole['trimap/aAcc']
    assert 100 * small['trimap/aAcc'] == pytest.approx(small['aAcc'], abs=0.0051)
    late = dict(behind=LABELS + "dict(type='mmdetxfer.ScoreAtResizedSize'),")
    said = scores('late', **late, **without, fails=True)
    assert 'load annotations before Resize' in said


def test_sizes_need_a_map_of_objects(scores):
    said = scores('none', fails=True, **{", 'object_map'": ''})
    assert "put dict(type='mmdetxfer.LoadObjectMap')" in said
