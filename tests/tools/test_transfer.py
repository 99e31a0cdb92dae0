"""TransferHook and FreezeHook in the three hosts, through the training tool."""

import json

import pytest
import torch
from tool_runner import CLS, DET, SEG

HEADS = {CLS: 'head.fc', DET: 'bbox_head.retina_cls', SEG: 'decode_head.conv_seg'}
LENGTHS = {CLS: 'max_epochs=1', DET: 'max_epochs=1', SEG: 'max_iters=2'}


@pytest.mark.parametrize('config', HEADS, ids=['mmpretrain', 'mmdet', 'mmseg'])
def test_a_head_begins_anew_and_the_frozen_backbone_is_the_files(
    tools, here, trained, config
):
    source = (trained[config] / 'last_checkpoint').read_text()
    outer = HEADS[config].split('.')[0]
    child = here / 'transfer.py'
    hooks = [
        dict(
            type='mmdetxfer.TransferHook',
            keep=['backbone', outer],
            reinit=[HEADS[config]],
        ),
        dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
    ]
    child.write_text(
        f"_base_ = '{config}'\nload_from = {source!r}\ncustom_hooks = {hooks}\n"
        f'train_cfg = dict({LENGTHS[config]})\n'
    )
    ended = tools('train.py', child, '--work-dir', 'out', cwd=here)
    receipt = json.loads((here / 'out' / 'transfer_receipt.json').read_text())
    parts = receipt['parts']
    assert set(parts['backbone']['tensors']) == {'loaded'}
    assert set(parts[HEADS[config]]['tensors']) == {'re-initialised'}
    assert receipt['frozen_and_moved'] == [] and 'backbone' in receipt['frozen']
    assert receipt['loaded_share_of_kept'] == 1 and receipt['source'] == source
    assert 'frozen parts unchanged' in ended.printed
    theirs = torch.load(source, weights_only=True)['state_dict']
    last = (here / 'out' / 'last_checkpoint').read_text()
    mine = torch.load(last, weights_only=True)['state_dict']
    for name, value in theirs.items():
        if name.startswith('backbone.'):
            assert torch.equal(mine[name], value), name
    head = f'{HEADS[config]}.weight'
    assert not torch.equal(mine[head], theirs[head])
