"""Files of mmengine's own Runner load; ours need nobody's permission to."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from toy_runs import toy_config, toy_metainfo

from mmdetxfer.checkpoints.comparing import are_equal
from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.checkpoints.resumable import resumable_at
from mmdetxfer.checkpoints.writing import recorded_sha256
from mmdetxfer.engine import ExactRunner
from mmdetxfer.text_files import sha256_of_file


def logged(work_dir: Path) -> str:
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


@pytest.fixture(scope='module')
def our_folder(tmp_path_factory):
    """The work folder of the same training with our Runner."""
    folder = tmp_path_factory.mktemp('ours')
    ExactRunner.from_cfg(toy_config(folder)).train()
    return folder


def test_the_stock_file_holds_what_torch_refuses(stock_folder):
    """Else the tests below would not test anything."""
    content = (stock_folder / 'epoch_2.pth').read_bytes()
    for name in (
        b'HistoryBuffer',
        b'getattr',
        b'_reconstruct',
        b'defaultdict',
        b'deque',
    ):
        assert name in content
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(stock_folder / 'epoch_2.pth', weights_only=True)


def test_a_stock_training_file_is_read_whole(stock_folder):
    found = read_checkpoint(stock_folder / 'epoch_2.pth')
    trusted = torch.load(stock_folder / 'epoch_2.pth', weights_only=False)
    assert found.keys() == trusted.keys()
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert are_equal(found[part], trusted[part])
    assert found['state_dict']._metadata == trusted['state_dict']._metadata
    assert are_equal(found['meta']['dataset_meta'], toy_metainfo())
    assert type(found['param_schedulers'][0]['milestones']) is Counter
    assert found['meta'].keys() - trusted['meta'].keys() == {'input_convention'}
    assert trusted['meta'].keys() - found['meta'].keys() == {'cfg'}
    hub, trusted_hub = found['message_hub'], trusted['message_hub']
    assert trusted_hub['runtime_info'].pop('cfg')
    assert are_equal(hub['runtime_info'], trusted_hub['runtime_info'])
    assert are_equal(hub['resumed_keys'], trusted_hub['resumed_keys'])


def test_the_history_of_a_stock_file_has_its_statistics(stock_folder):
    found = read_checkpoint(stock_folder / 'epoch_2.pth')['message_hub']['log_scalars']
    trusted = torch.load(stock_folder / 'epoch_2.pth', weights_only=False)
    trusted = trusted['message_hub']['log_scalars']
    assert found.keys() == trusted.keys() and 'train/loss' in found
    for name, buffer in found.items():
        assert isinstance(buffer, HistoryBuffer)
        for statistic in ('mean', 'min', 'max', 'current'):
            mine, theirs = (b[name].statistics(statistic) for b in (found, trusted))
            assert mine == theirs


def test_the_best_score_of_a_stock_file_is_the_number_it_was(stock_folder):
    info = read_checkpoint(stock_folder / 'epoch_2.pth')['message_hub']['runtime_info']
    assert isinstance(info['best_score'], np.float32)


def test_the_convention_of_a_stock_file_comes_out_of_its_config_text(stock_folder):
    stated = read_checkpoint(stock_folder / 'epoch_1.pth')['meta']['input_convention']
    assert stated['mean'] == [127.5] * 3 and stated['channel_order'] == 'bgr'


def test_our_runner_goes_on_from_a_stock_file_and_says_that_it_is_not_exact(
    stock_folder, tmp_path
):
    shutil.copy(stock_folder / 'epoch_1.pth', tmp_path)
    path = tmp_path / 'epoch_1.pth'
    assert (resumable_at(path).epoch, resumable_at(path).iteration) == (1, 3)
    work_dir = tmp_path / 'run'
    cfg = toy_config(work_dir, load_from=str(path), resume=True)
    runner = ExactRunner.from_cfg(cfg)
    runner.train()
    assert 'written without the random state (by another Runner)' in logged(work_dir)
    assert 'dataset metainfo' not in logged(work_dir)
    assert (runner.epoch, runner.iter) == (2, 6)
    losses = runner.message_hub.log_scalars['train/loss'].data[0]
    before = read_checkpoint(path)['message_hub']['log_scalars']['train/loss'].data[0]
    assert len(losses) == 6 and losses[:3].tolist() == before.tolist()
    assert sorted(p.name for p in work_dir.glob('epoch_*.pth')) == ['epoch_2.pth']
    # Without anything random in it, the training is even the stock one.
    mine = read_checkpoint(work_dir / 'epoch_2.pth')['state_dict']
    assert are_equal(mine, read_checkpoint(stock_folder / 'epoch_2.pth')['state_dict'])


@pytest.mark.parametrize('pattern', ['epoch_1.pth', 'epoch_2.pth', 'best_*.pth'])
def test_our_files_load_with_torchs_own_check_and_no_list(our_folder, pattern):
    (path,) = our_folder.glob(pattern)
    content = torch.load(path, weights_only=True)
    assert content['state_dict']._metadata['backbone.norm']['version'] == 2
    assert 'cfg' not in content['meta'] and 'config' not in content['meta']
    assert recorded_sha256(path) == sha256_of_file(path)


def test_what_our_files_hold_comes_back_as_it_was(our_folder, stock_folder):
    mine = read_checkpoint(our_folder / 'epoch_2.pth')
    stock = read_checkpoint(stock_folder / 'epoch_2.pth')
    found = mine['meta']['dataset_meta']
    assert (
        isinstance(found['palette'], np.ndarray) and found['palette'].dtype == np.uint8
    )
    assert are_equal(found, toy_metainfo())
    history = mine['message_hub']['log_scalars']['train/loss']
    wanted = stock['message_hub']['log_scalars']['train/loss']
    assert history.data[0].tolist() == wanted.data[0].tolist()
    assert type(mine['param_schedulers'][0]['milestones']) is Counter
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert are_equal(mine[part], stock[part])


def test_our_own_file_is_resumed_without_a_word_about_other_data(our_folder, tmp_path):
    """The data set's meta holds an array, which mmengine compares by its pickle."""
    work_dir = tmp_path / 'run'
    path = str(our_folder / 'epoch_1.pth')
    ExactRunner.from_cfg(toy_config(work_dir, load_from=path, resume=True)).train()
    assert 'metainfo' not in logged(work_dir) and 'not exact' not in logged(work_dir)
    mine = read_checkpoint(work_dir / 'epoch_2.pth')['state_dict']
    assert are_equal(mine, read_checkpoint(our_folder / 'epoch_2.pth')['state_dict'])
