"""What of a config decides a cell, by hand."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmdetxfer.errors import UserError
from mmdetxfer.study.resolved import (
    config_with,
    data_paths,
    half_batch,
    normal_form,
    share_of_images,
)

CONFIG = """
default_scope = 'mmdet'
data_root = 'data/voc/'
work_dir = 'somewhere'
load_from = 'weights.pth'
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(type='VOCDataset', data_root=data_root, ann_file='a.txt'),
            dict(type='VOCDataset', data_root='data/other', ann_file='b.txt'),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(type='VOCDataset', data_root=data_root, ann_file=data_root + 'v.txt')
)
val_evaluator = dict(type='CocoMetric', ann_file=data_root + 'v.json')
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=1))
optim_wrapper = dict(optimizer=dict(lr=0.1))
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'one.py'
    path.write_text(CONFIG)
    return str(path)


def test_paths_workers_and_logs_are_left_out(path):
    form = normal_form(config_with(path, {}))
    others = {
        'work_dir': 'elsewhere',
        'load_from': None,
        'train_dataloader.num_workers': 0,
        'default_hooks.logger.interval': 50,
        'default_hooks.checkpoint.interval': 2,
        'env_cfg': dict(dist_cfg=dict(backend='gloo')),
        'log_level': 'WARNING',
        'randomness': dict(seed=3),
        # The same data, laid elsewhere.
        'data_root': '/disk/voc/',
        'train_dataloader.dataset.datasets.0.data_root': '/disk/voc/',
        'val_dataloader.dataset.data_root': '/disk/voc/',
        'val_dataloader.dataset.ann_file': '/disk/voc/v.txt',
        'val_evaluator.ann_file': '/disk/voc/v.json',
    }
    assert normal_form(config_with(path, others)) == form


@pytest.mark.parametrize(
    'options',
    [
        {'optim_wrapper.optimizer.lr': 0.2},
        {'train_dataloader.batch_size': 4},
        {'train_dataloader.dataset.datasets.0.ann_file': 'c.txt'},
        {'env_cfg': dict(cudnn_benchmark=True)},
        {'randomness': dict(seed=3, deterministic=True)},
        {'default_hooks.checkpoint': dict(type='Another', interval=1)},
        # The other of its two sets, though both are read as before.
        {'val_dataloader.dataset.data_root': 'data/other'},
        {'model': dict(type='Anything')},
    ],
)
def test_what_changes_a_number_changes_the_form(path, options):
    assert normal_form(config_with(path, options)) != normal_form(config_with(path, {}))


def test_how_often_counts_where_the_last_weights_are_not_kept(path):
    forms = [
        normal_form(
            config_with(
                path,
                {'default_hooks.checkpoint': dict(save_last=last, interval=often)},
            )
        )
        for last in (True, False)
        for often in (1, 2)
    ]
    assert forms[0] == forms[1] and forms[2] != forms[3]


def test_folders_and_files_of_data_are_found_once(path, tmp_path):
    cfg = config_with(path, {})
    known = [Path('data/voc'), Path('data/other')]
    assert data_paths(cfg) == known
    table = tmp_path / 'synsets.txt'
    table.write_text('')
    for key in ('val_dataloader.dataset.synsets', 'val_evaluator.table'):
        assert data_paths(config_with(path, {key: str(table)})) == [*known, table]
    # What a test leaves behind is no data of it.
    written = {'val_evaluator.out_file_path': str(table)}
    assert data_paths(config_with(path, written)) == known


@pytest.mark.parametrize(
    'names, expected',
    [
        (dict(data_prefix='/disk/a'), ['/disk/a']),
        (
            dict(data_prefix=dict(img='/disk/a/', seg='b', sub=''), ann_file='l/a.txt'),
            ['/disk/a', 'b', 'l/a.txt'],
        ),
        # Below a root, and beside it.
        (dict(data_root='c', data_prefix='a', ann_file='/disk/a.txt'), ['c']),
        (dict(data_prefix='s3://bucket/a', ann_file=''), []),
    ],
)
def test_data_without_a_root_are_found_by_their_folders(path, names, expected):
    """Whether they are there or not: a cell needs them."""
    options = {'val_dataloader.dataset': dict(type='Any', _delete_=True, **names)}
    others = [Path('data/voc'), Path('data/other')]
    found = [one for one in data_paths(config_with(path, options)) if one not in others]
    absolute = [Path('/disk/a.txt')] if names.get('ann_file') == '/disk/a.txt' else []
    assert found == [*map(Path, expected), *absolute]


def test_two_files_elsewhere_are_told_apart_by_who_reads_them(path):
    """a for the validation and b for the test, or the reverse: both read both."""
    names = ('val_dataloader.dataset.ann_file', 'test_dataloader.dataset.ann_file')
    options = {'test_dataloader': dict(dataset=dict(type='VOCDataset'))}

    def form(*files):
        own = {**options, **dict(zip(names, files, strict=True))}
        own['train_dataloader.dataset.datasets.0.ann_file'] = '/disk/a'
        own['train_dataloader.dataset.datasets.1.ann_file'] = '/disk/b'
        return normal_form(config_with(path, own))

    assert form('/disk/a', '/disk/b') != form('/disk/b', '/disk/a')


def test_options_that_do_not_fit_are_refused(path):
    with pytest.raises(UserError, match='expected options that fit it'):
        config_with(path, {'train_dataloader.dataset.datasets.7.ann_file': 'c'})
    with pytest.raises(UserError, match='config not found'):
        config_with('none.py', {})


def test_a_share_wraps_the_innermost_sets_with_the_same_draw(path):
    """Detection sets and ImageNet-Loc know boxes, others have shares of classes."""
    cfg = config_with(path, {})
    assert share_of_images(cfg, 1.0) == {}
    (found,) = share_of_images(cfg, 0.5, seed=3).values()
    assert [one['type'] for one in found['datasets']] == ['mmdetxfer.SubsetDataset'] * 2
    assert found['datasets'][1]['dataset']['ann_file'] == 'b.txt'
    assert found['datasets'][1]['fraction'] == 0.5
    assert found['datasets'][1]['seed'] == 3 and found['_delete_']
    whole = dict(type='mmdetxfer.WholeDataset', dataset=dict(type='SUN397'))
    options = {'default_scope': 'mmpretrain'}
    options['train_dataloader.dataset'] = {**whole, '_delete_': True}
    (found,) = share_of_images(config_with(path, options), 0.5).values()
    # A whole set is counted before a share of it is taken.
    assert found['type'] == 'mmdetxfer.ShareDataset' and found['dataset'] == whole


def test_half_the_batch_is_accumulated_twice_and_iterations_double():
    """Batch 8 and 3 steps: 4 and 6; 100 iterations: 200, milestones and warm-up too."""
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=8),
            optim_wrapper=dict(accumulative_counts=3),
            train_cfg=dict(max_iters=100, val_interval=50),
            param_scheduler=[
                dict(type='LinearLR', by_epoch=False, begin=0, end=10),
                dict(type='MultiStepLR', by_epoch=False, milestones=[60, 80]),
                dict(type='MultiStepLR', by_epoch=True, milestones=[5]),
            ],
            default_hooks=dict(checkpoint=dict(by_epoch=False, interval=25)),
        )
    )
    assert half_batch(cfg) == {
        'train_dataloader.batch_size': 4,
        'optim_wrapper.accumulative_counts': 6,
        'param_scheduler.0.begin': 0,
        'param_scheduler.0.end': 20,
        'param_scheduler.1.milestones': [120, 160],
        'train_cfg.max_iters': 200,
        'train_cfg.val_interval': 100,
        'default_hooks.checkpoint.interval': 50,
    }
    cfg.train_cfg = dict(max_epochs=7, val_interval=7)
    cfg.default_hooks.checkpoint = dict(interval=1)
    found = half_batch(cfg)
    # An epoch is as many images as before.
    assert 'train_cfg.max_epochs' not in found and 'train_cfg.val_interval' not in found
    assert 'default_hooks.checkpoint.interval' not in found
    cfg.train_dataloader.batch_size = 9
    found = half_batch(cfg)
    # An odd one in thirds, so that as many images make an update.
    assert found['train_dataloader.batch_size'] == 3
    assert found['optim_wrapper.accumulative_counts'] == 9
    assert found['param_scheduler.1.milestones'] == [180, 240]
    cfg.train_dataloader.batch_size = 1
    with pytest.raises(UserError, match='nothing is left to halve'):
        half_batch(cfg)
