"""tools/misc/extract_proposals.py: the same whether killed or not, one rank or two."""

import shutil

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tool_runner import DET, REPOSITORY

from mmdetxfer.datasets.proposal_shards import read_proposals
from mmdetxfer.errors import UserError

CONFIG = REPOSITORY / 'configs/sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py'
TOOL = 'misc/extract_proposals.py'
WORLD = 'work_dirs/world_tiny/VOCdevkit/'
OPTIONS = (
    '--cfg-options',
    f'train_dataloader.dataset.dataset.data_root={WORLD}',
    f'val_dataloader.dataset.data_root={WORLD}',
    f'test_dataloader.dataset.data_root={WORLD}',
    'input_convention=from_config',
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A detector of random weights."""
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(CONFIG)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def shards(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob('*.npz'))}


def test_what_is_missing_is_made_and_equals_what_was_never_lost(
    tools, here, checkpoint
):
    def extract(out, *more, **how):
        arguments = ('--out', out, '--images-per-shard', '4', *more)
        return tools(TOOL, CONFIG, checkpoint, *arguments, *OPTIONS, cwd=here, **how)

    first = extract('whole')
    whole = shards(here / 'whole')
    assert len(whole) > 1
    assert f'{len(whole)} shards made by this process, in whole' in first.printed
    # Two ranks share the work.
    extract('ranks', ranks=2)
    assert shards(here / 'ranks') == whole
    # A lost and a damaged one are made again, the others are left.
    names = sorted(whole)
    (here / 'ranks' / names[0]).unlink()
    damaged = here / 'ranks' / names[1]
    damaged.write_bytes(whole[names[1]][:100])
    again = extract('ranks')
    assert '2 shards made by this process, in ranks' in again.printed
    assert shards(here / 'ranks') == whole
    other = extract('whole', '--images-per-shard', '5', fails=True)
    assert 'proposals with another images_per_shard (4, not 5)' in other.printed
    lists = here / WORLD / 'VOC2007/ImageSets/Main/trainval.txt'
    ids = lists.read_text().split()
    offsets, boxes = read_proposals(here / 'whole', ids)
    assert len(offsets) == len(ids) + 1 and offsets[-1] == len(boxes) > 0
    # At most 300 at each of three scales; suppressed over all of them.
    assert np.diff(offsets).max() <= 900
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_an_rpn_alone_gives_what_the_detector_of_its_weights_gives(
    tools, here, checkpoint
):
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    kept = {
        key.replace('rpn_head.', 'bbox_head.'): value
        for key, value in weights.items()
        if not key.startswith('roi_head.')
    }
    torch.save(dict(state_dict=kept), here / 'rpn.pth')
    tools(TOOL, CONFIG, checkpoint, '--out', 'detector', *OPTIONS, cwd=here)
    rpn = ('--out', 'rpn', *OPTIONS, 'model.type=RPN')
    tools(TOOL, CONFIG, here / 'rpn.pth', *rpn, cwd=here)
    assert shards(here / 'rpn') == shards(here / 'detector')


def test_weights_of_another_detector_are_refused(tools, here, checkpoint):
    """Loaded without a word, they would be proposals of random weights."""
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    del weights['rpn_head.rpn_reg.weight']
    torch.save(dict(state_dict=weights), here / 'other.pth')
    arguments = ('--out', 'x', *OPTIONS)
    ended = tools(TOOL, CONFIG, here / 'other.pth', *arguments, cwd=here, fails=True)
    said = '1 tensors do not fit: rpn_head.rpn_reg.weight is missing; name the config'
    assert said in ended.printed


def test_an_image_that_cannot_be_read_is_named(tools, here, checkpoint):
    folder = here / 'voc'
    shutil.copytree(here / WORLD, folder)
    image = sorted((folder / 'VOC2007/JPEGImages').iterdir())[0]
    ids = (folder / 'VOC2007/ImageSets/Main/trainval.txt').read_text().split()
    image = folder / f'VOC2007/JPEGImages/{ids[0]}.jpg'
    image.write_bytes(image.read_bytes()[:-9])
    options = ('--out', 'x', *OPTIONS)
    options += (f'train_dataloader.dataset.dataset.data_root={folder}/',)
    ended = tools(TOOL, CONFIG, checkpoint, *options, cwd=here, fails=True)
    assert f'{ids[0]}.jpg' in ended.printed and 'Traceback' not in ended.printed


def test_what_has_no_chips_or_scales_is_refused(tools, here, checkpoint):
    options = ('--out', 'x', '--cfg-options', 'input_convention=from_config')
    ended = tools(TOOL, DET, checkpoint, *options, cwd=here, fails=True)
    assert 'train_dataloader.dataset: expected a mmdetxfer.ChipDat' in ended.printed
    options = ('--out', 'x', '--images-per-shard', '0', *OPTIONS)
    ended = tools(TOOL, CONFIG, checkpoint, *options, cwd=here, fails=True)
    assert 'images_per_shard: expected 1 or more, got 0' in ended.printed
    options = ('--out', 'x', *OPTIONS, 'tta_pipeline=None')
    ended = tools(TOOL, CONFIG, checkpoint, *options, cwd=here, fails=True)
    assert 'expected a tta_pipeline whose scales' in ended.printed


def test_a_detector_without_a_first_stage_is_refused():
    from mmdetxfer.engine.proposal_extraction import _first_stage

    with pytest.raises(UserError, match='a first stage .rpn_head., got Linear'):
        _first_stage(torch.nn.Linear(1, 1))
