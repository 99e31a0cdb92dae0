"""Parts that load files by themselves: proven like what a checkpoint fills."""

import hashlib

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from toy_images import make_images, train
from toy_parts import NAMES, ToyBackboneOfTwo, ToyDetector
from toy_transfer import config, counts, receipt

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.launching import _missing_files_named
from mmdetxfer.engine.part_files import file_hash
from mmdetxfer.errors import CheckpointError, UserError


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp('images'), NAMES)


@pytest.fixture(scope='module')
def weights():
    """What another model with five classes has learnt."""
    torch.manual_seed(7)
    state = ToyDetector(num_classes=5).state_dict()
    return {
        name: torch.randn_like(value) if value.is_floating_point() else value + 9
        for name, value in state.items()
    }


def test_parts_that_load_by_themselves_are_proven_alike(images, tmp_path, weights):
    """Of the file the head and the neck are in no pattern: 6 tensors."""
    torch.save(dict(state_dict=weights), tmp_path / 'source.pth')
    init = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'source.pth'), prefix='backbone.'
    )
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    run = tmp_path / 'run'
    train(config(images, run, hook=hook, backbone=dict(init_cfg=init)))
    assert counts(run) == {
        'backbone': {'loaded': 14},
        'neck': {'left as initialised': 2},
        'head': {'left as initialised': 4},
    }
    assert receipt(run)['unused']['in no pattern']['tensors'] == 6
    assert receipt(run)['source'] == str(tmp_path / 'source.pth')


def pretrained(folder, state, **entry):
    torch.save(dict(state_dict=state), folder / 'source.pth')
    return dict(type='Pretrained', checkpoint=str(folder / 'source.pth'), **entry)


def test_a_prefix_that_names_nothing_is_one_line(images, tmp_path, weights):
    init = pretrained(tmp_path, weights, prefix='bakbone.')
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    cfg = config(images, tmp_path / 'run', hook=hook, backbone=dict(init_cfg=init))
    message = 'expected a prefix that names a part of the file, bakbone. is not in'
    with pytest.raises(UserError, match=message), _missing_files_named():
        train(cfg)


def test_what_init_cfg_has_loaded_cannot_begin_anew(images, tmp_path, weights):
    init = pretrained(tmp_path, weights, prefix='backbone.')
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'], reinit=['backbone.2'])
    cfg = config(images, tmp_path / 'run', hook=hook, backbone=dict(init_cfg=init))
    with pytest.raises(CheckpointError, match='loaded 2 tensors of it .* by load_from'):
        train(cfg)


def test_what_came_from_init_cfg_and_not_from_the_checkpoint_is_told(
    images, tmp_path, weights
):
    init = pretrained(tmp_path, weights, prefix='backbone.')
    hook = dict(
        type='mmdetxfer.TransferHook',
        keep=['backbone', 'neck'],
        reinit=['backbone.2'],
    )
    run = tmp_path / 'run'
    train(config(images, run, weights, hook, backbone=dict(init_cfg=init)))
    assert counts(run) == {
        'backbone': {'loaded': 12},
        'backbone.2': {"from the file of the part's init_cfg": 2},
        'neck': {'loaded': 2},
        'head': {'left as initialised': 4},
    }


def test_what_the_file_of_init_cfg_does_not_hold_is_left(images, tmp_path, weights):
    """An offset layer, say: below a part with a file, and not in it."""
    state = {k: v for k, v in weights.items() if 'backbone.2' not in k}
    init = pretrained(tmp_path, state, prefix='backbone.')
    hook = dict(type='mmdetxfer.TransferHook', keep=['neck'])
    run = tmp_path / 'run'
    train(config(images, run, weights, hook, backbone=dict(init_cfg=init)))
    assert counts(run)['backbone'] == {
        "from the file of the part's init_cfg": 12,
        'left as initialised': 2,
    }
    digest = hashlib.sha256((tmp_path / 'source.pth').read_bytes()).hexdigest()
    assert receipt(run)['files_of_parts'] == {str(tmp_path / 'source.pth'): digest}


def test_the_hash_of_a_fetched_file_is_that_of_its_local_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    (tmp_path / 'checkpoints').mkdir()
    path = tmp_path / 'checkpoints' / 'resnet18-f37072fd.pth'
    path.write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    assert file_hash('torchvision://resnet18') == digest
    assert file_hash('https://example.org/models/resnet18-f37072fd.pth') == digest
    assert file_hash('torchvision://resnet50') is None
    assert file_hash(str(path)) == digest


@MODELS.register_module(force=True)
class RenamingBackbone(ToyBackboneOfTwo):
    """Loads a file of other names, as transformers load their original weights."""

    def init_weights(self):
        content = torch.load(self.init_cfg['checkpoint'], weights_only=True)
        state = {k.removeprefix('old_'): v for k, v in content['model'].items()}
        self.load_state_dict(state)


def test_what_a_part_renames_is_proven_by_its_content(images, tmp_path, weights):
    own = {
        'old_' + k.removeprefix('backbone.'): v
        for k, v in weights.items()
        if k.startswith('backbone.')
    }
    torch.save(dict(model=own), tmp_path / 'source.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'source.pth'))
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    backbone = dict(type='RenamingBackbone', init_cfg=init)
    train(config(images, tmp_path / 'run', hook=hook, backbone=backbone))
    assert counts(tmp_path / 'run')['backbone'] == {'loaded': 14}


@MODELS.register_module(force=True)
class ResizingBackbone(ToyBackboneOfTwo):
    """Takes a first layer of another width, as transformers resize positions."""

    def _load_from_state_dict(self, state_dict, prefix, *args):
        name = prefix + '0.bias'
        if name in state_dict:
            width = self[0].bias.shape[0]
            state_dict[name] = state_dict[name].repeat(2)[:width]
        super()._load_from_state_dict(state_dict, prefix, *args)


def test_what_a_part_resizes_itself_is_told_and_counts(images, tmp_path, weights):
    """A bias of 4 for 6: the part makes 6 of them. The rest of its width is lost."""
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'], min_loaded=0.3)
    backbone = dict(type='ResizingBackbone', width=6)
    train(config(images, tmp_path, weights, hook, backbone=backbone))
    found = receipt(tmp_path)['parts']['backbone']['tensors']
    assert found["converted by the model's own loading"] == 1
    assert found['loaded'] == 7 and found['shape differs'] == 6
    # 20 of 80 elements by their names, and the 6.
    assert receipt(tmp_path)['loaded_share_of_kept'] == pytest.approx(26 / 80)


@MODELS.register_module(force=True)
class FreezingBackbone(ToyBackboneOfTwo):
    """Freezes its first layer when it is told to train."""

    def train(self, mode=True):
        super().train(mode)
        self[0].requires_grad_(False)
        return self


def test_what_freezes_when_training_begins_is_in_the_proof(images, tmp_path, weights):
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    backbone = dict(type='FreezingBackbone')
    train(config(images, tmp_path, weights, hook, backbone=backbone))
    assert list(receipt(tmp_path)['frozen']) == ['backbone.0']
    assert receipt(tmp_path)['frozen_and_moved'] == []


def test_what_is_changed_behind_the_loading_does_not_count(images, tmp_path, weights):
    """An initialisation of the whole model behind that of the backbone."""
    torch.save(dict(state_dict=weights), tmp_path / 'source.pth')
    init = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'source.pth'), prefix='backbone.'
    )
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])

    class Spoiling(ExactRunner):
        def _init_model_weights(self):
            super()._init_model_weights()
            nn.init.ones_(self.model.backbone[2].weight)

    cfg = config(images, tmp_path / 'run', hook=hook, backbone=dict(init_cfg=init))
    # 16 of 60 elements that count are lost.
    with pytest.raises(
        CheckpointError, match=r'got 73.3%; .*2.weight .not as in the f'
    ):
        Spoiling.from_cfg(cfg).train()
