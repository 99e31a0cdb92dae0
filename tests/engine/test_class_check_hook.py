"""The class check is one line of the log before the first iteration."""

import logging
from types import SimpleNamespace

import pytest
from toy_images import FilesDataset

from mmdetxfer.engine.class_check_hook import ClassCheckHook


def logged_for(classes) -> list[tuple]:
    lines = []
    metainfo, prefix = dict(classes=classes), dict(img='none')
    dataset = FilesDataset('a b', metainfo=metainfo, data_prefix=prefix)
    runner = SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=dataset),
        logger=SimpleNamespace(log=lambda *line: lines.append(line)),
    )
    ClassCheckHook(seconds=5).before_train(runner)
    return lines


def test_it_logs_one_line_and_warns_if_something_is_wrong():
    said = 'classes: 1 in the config; 1 seen in 2 samples of train'
    assert logged_for(('thing',)) == [(logging.INFO, said)]
    ((level, line),) = logged_for(('thing', 'other'))
    assert level == logging.WARNING and line.endswith('never seen: other')


def test_only_the_first_rank_looks(monkeypatch):
    name = 'mmdetxfer.engine.class_check_hook.is_main_process'
    monkeypatch.setattr(name, lambda: False)
    assert logged_for(('thing',)) == []


def test_no_time_at_all_is_refused():
    with pytest.raises(ValueError, match='seconds: expected more than 0, got 0'):
        ClassCheckHook(seconds=0)
