"""The setting that trials choose; one that diverges is the worst of them."""

import json
import math

import pytest
import torch

from mmdetxfer.errors import NonfiniteLossError, UserError
from mmdetxfer.study.provenance import weights_hash
from mmdetxfer.study.records import write_records
from mmdetxfer.study.resolved import config_with
from mmdetxfer.study.scores import mean_score
from mmdetxfer.study.work import Run

HEAD = dict(what='x', config='', seed=0, weights_sha256=None, data={}, versions={})


def chosen(tmp_path, *scores):
    """Choose among trials with (AP50, AP70), None where a trial diverged."""
    choices = []
    for place, pair in enumerate(scores):
        folder = tmp_path / f'trial{place}'
        folder.mkdir()
        names = ('AP50', 'AP70')
        rows = [
            dict(kind='score', score=name, value=None if pair is None else value)
            for name, value in zip(names, pair or (0, 0), strict=True)
        ]
        write_records(folder, dict(key=folder.name, **HEAD), rows)
        choices.append(dict(cell=folder.name, options=dict(lr=place)))
    spec = dict(choices=choices, choosing=['AP50', 'AP70'])
    (tmp_path / 'final').mkdir()
    run = Run(tmp_path / 'final', spec, 'none', False, False)
    found = run._chosen()
    return found, json.loads((tmp_path / 'final' / 'chosen.json').read_text())


def test_the_best_mean_is_taken_and_the_first_of_equals(tmp_path):
    """Means .3, .4 and .4."""
    found, kept = chosen(tmp_path, (0.4, 0.2), (0.6, 0.2), (0.5, 0.3))
    assert found == dict(lr=1) and kept['chosen'] == found
    assert [one['score'] for one in kept['tried']] == pytest.approx([0.3, 0.4, 0.4])


def test_a_setting_that_diverged_is_the_worst_and_kept(tmp_path):
    """Worse than one that finds nothing."""
    found, kept = chosen(tmp_path, None, (0.0, 0.0))
    assert found == dict(lr=1) and kept['tried'][0]['score'] is None


def test_where_every_setting_diverged_there_is_none(tmp_path):
    with pytest.raises(UserError, match='every one of 2 settings diverged'):
        chosen(tmp_path, None, None)


def run_of(folder, **changes):
    spec = dict(kind='transfer', seed=3, begins=None, choosing=['AP50', 'AP70'])
    spec |= dict(options={}, data={}, test=dict(options={}, tta=False)) | changes
    return Run(folder, spec, 'none', changes.pop('halved', False), False)


def test_a_trial_with_a_loss_that_is_no_number_has_scores_the_worst(
    tmp_path, monkeypatch
):
    run = run_of(tmp_path)

    def diverges(_):
        raise NonfiniteLossError('loss_cls is nan at iteration 7')

    monkeypatch.setattr(Run, 'trained_and_tested', diverges)
    rows, head = run.tried()
    assert [(row['score'], row['value']) for row in rows] == [
        ('AP50', None),
        ('AP70', None),
    ]
    assert all(row['is_diverged'] for row in rows)
    write_records(tmp_path, {**HEAD, 'key': tmp_path.name, **head}, rows)
    assert mean_score(tmp_path, ['AP50', 'AP70']) == -math.inf


def test_half_the_batch_is_trained_where_the_whole_one_had_no_memory(tmp_path):
    """8 images and one step of accumulation become 4 and two; its seed counts."""
    config = tmp_path / 'one.py'
    config.write_text(
        'train_dataloader = dict(batch_size=8)\noptim_wrapper = dict()\n'
        'train_cfg = dict(max_epochs=1)\n'
    )
    for halved, batch in ((False, None), (True, 4)):
        found = run_of(tmp_path, config=str(config), halved=halved).options()
        assert found.get('train_dataloader.batch_size') == batch
        assert found.get('optim_wrapper.accumulative_counts') == (2 if halved else None)
        assert found['randomness.seed'] == 3


def test_a_training_keeps_two_checkpoints_unless_its_config_says_another_number(
    tmp_path,
):
    """All by default, as -1 means, also where a config says nothing of checkpoints."""
    hook = 'default_hooks = dict(checkpoint=dict(type="CheckpointHook"{}))\n'
    for text, number in (
        (hook.format(''), 2),
        (hook.format(', max_keep_ckpts=-1'), 2),
        (hook.format(', max_keep_ckpts=5'), 5),
        ('default_hooks = dict()\n', 2),
        ('', 2),
        ('default_hooks = dict(checkpoint=None)\n', None),
    ):
        config = tmp_path / f'{len(text)}.py'
        config.write_text(text + 'train_cfg = dict(max_epochs=1)\n')
        options = run_of(tmp_path, config=str(config)).options()
        found = config_with(str(config), options).default_hooks.checkpoint
        assert (found and found.max_keep_ckpts) == number
        assert found is None or found.type == 'CheckpointHook'


def test_weights_have_the_hash_of_their_tensors_whatever_else_is_in_the_file(tmp_path):
    """A training that was killed writes other times than one that was not."""
    state = dict(a=torch.arange(3.0), b=torch.ones(2))
    torch.save(dict(state_dict=state, meta=dict(time='1')), tmp_path / '1.pth')
    torch.save(dict(state_dict=state, meta=dict(time='22')), tmp_path / '2.pth')
    torch.save(state, tmp_path / 'flat.pth')
    one = weights_hash(tmp_path / '1.pth')
    assert (
        one == weights_hash(tmp_path / '2.pth') == weights_hash(tmp_path / 'flat.pth')
    )
    state['b'] = torch.zeros(2)
    torch.save(dict(state_dict=state), tmp_path / '3.pth')
    assert weights_hash(tmp_path / '3.pth') != one
