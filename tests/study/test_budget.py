"""What was planned and what was used, by kind of work: sums by hand."""

from mmdetxfer.study.budget import BUDGET_KINDS, budget_lines, seconds_used
from mmdetxfer.study.cells import PRETRAIN, PROBE, TRANSFER
from mmdetxfer.study.reading import TASKS


def head(key, what, seconds):
    return dict(key=key, what=what, volatile=dict(seconds=seconds))


def test_transfers_are_split_by_task_and_told_together():
    """Transfers of 3 and 4 seconds to detection and of 10 to segmentation."""
    heads = [
        head('a', 'pretrain', 1.5),
        head('b', 'transfer', 3.0),
        head('c', 'transfer', 4.0),
        head('d', 'transfer', 10.0),
        head('e', 'probe', 20.0),
        head('f', 'probe', 0.5),
    ]
    tasks = dict(b='detection', c='detection', d='segmentation')
    assert seconds_used(heads, tasks, 6.0) == dict(
        pretrain=1.5,
        transfer=17.0,
        detection=7.0,
        segmentation=10.0,
        classification=0.0,
        probe=20.5,
        report=6.0,
    )


def test_each_kind_of_cell_and_task_can_be_planned():
    assert set(BUDGET_KINDS) == {PRETRAIN, TRANSFER, PROBE, *TASKS, 'report'}


def test_what_was_planned_is_told_in_its_order():
    used = dict(probe=20.5, report=6.4)
    assert budget_lines(dict(report=15, probe=60.0), used) == [
        'seconds of the report: 15 planned, 6 used',
        'seconds of all probe cells: 60 planned, 20 used',
    ]
