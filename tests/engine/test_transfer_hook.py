"""Transfer by named parts: what was loaded is proven, what was not is an error.

The model is that of ``toy_parts``.
"""

import pytest
import torch
from toy_images import logged, make_images, train
from toy_parts import NAMES, ToyDetector
from toy_transfer import config, counts, receipt

from mmdetxfer.engine import ExactRunner
from mmdetxfer.errors import CheckpointError


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


class Watching(ExactRunner):
    """Keeps the weights that the training began with."""

    def call_hook(self, fn_name, **kwargs):
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'before_train':
            state = self.model.state_dict()
            self.began_with = {k: v.clone() for k, v in state.items()}


def began_with(cfg):
    runner = Watching.from_cfg(cfg)
    runner.train()
    return runner.began_with


def row_of(weights, part):
    """How many tensors and elements a part of a file has."""
    own = [v for k, v in weights.items() if k == part or k.startswith(f'{part}.')]
    return dict(tensors=len(own), elements=sum(v.numel() for v in own))


LAYOUTS = {
    'checkpoint': lambda state: dict(state_dict=state),
    'bare': lambda state: state,
    'module': lambda state: dict(
        state_dict={f'module.{k}': v for k, v in state.items()}
    ),
    'bare module': lambda state: {f'module.{k}': v for k, v in state.items()},
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_named_parts_are_loaded_and_the_receipt_says_so(
    images, tmp_path, weights, layout
):
    """12 tensors of the backbone and two counters; 4 of the head, 2 of them anew.

    8 + 16 + 20 + 16 elements of the backbone, and the counters. Not named: the neck, 2
    tensors of the model as of the file.
    """
    cfg = config(images, tmp_path, LAYOUTS[layout](weights))
    state = began_with(cfg)
    for name, value in state.items():
        is_kept = name.startswith('backbone') or name.startswith('head.fc_reg')
        same = value.shape == weights[name].shape and torch.equal(value, weights[name])
        assert same == is_kept, name
    assert counts(tmp_path) == {
        'backbone': {'loaded': 14},
        'neck': {'left as initialised': 2},
        'head': {'loaded': 2},
        'head.fc_cls': {'re-initialised': 2},
    }
    found = receipt(tmp_path)
    assert found['parts']['backbone']['elements'] == {'loaded': 62}
    assert found['loaded_share_of_kept'] == 1.0
    dropped = row_of(weights, 'head.fc_cls')
    others = {name: row_of(weights, name) for name in ('neck.weight', 'neck.bias')}
    assert found['unused'] == {
        'dropped': {**dropped, 'parts': {'head.fc_cls': dropped}},
        'in no pattern': {**row_of(weights, 'neck'), 'parts': others},
    }
    assert logged(tmp_path, 'transfer: head.fc_cls of the file: 2 dropped')
    assert found['input_convention'] == 'torchvision'
    assert len(found['sha256']) == 64
    hashes = found['parts']['backbone']
    assert hashes['hash_before'] != hashes['hash_after']
    (line,) = set(logged(tmp_path, '100.0% of backbone, head'))
    assert '16 tensors loaded, 2 tensors left as initialised, 2 tensors re-init' in line


def test_a_file_of_a_backbone_alone_needs_its_prefix(images, tmp_path, weights):
    own = {
        k.removeprefix('backbone.'): v
        for k, v in weights.items()
        if k.startswith('backbone.')
    }
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    with pytest.raises(CheckpointError, match='begin with 0.weight, .*; correct the'):
        train(config(images, tmp_path / 'without', own, hook))
    state = began_with(
        config(images, tmp_path / 'with', own, dict(hook, prefix='backbone.'))
    )
    assert torch.equal(state['backbone.0.weight'], weights['backbone.0.weight'])


def test_too_little_of_what_is_kept_is_an_error(images, tmp_path, weights):
    """A backbone 6 wide inside: 12 + 24 + 28 + 16 elements, counters left out.

    The last norm and the bias before it fit: 20 of 80. The 7 tensors of other shape are
    two of the first layer, four of its norm and the second layer's weights.
    """
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    wider = dict(backbone=dict(width=6))
    message = r'at least 90% .*, got 25.0%; not loaded: backbone.0.weight \(shape diff'
    with pytest.raises(CheckpointError, match=message):
        train(config(images, tmp_path / 'strict', weights, hook, **wider))
    found = receipt(tmp_path / 'strict')
    assert found['parts']['backbone']['tensors'] == {'shape differs': 7, 'loaded': 7}
    assert 'backbone.2.weight' in found['shape_differs']
    train(
        config(images, tmp_path / 'lax', weights, dict(hook, min_loaded=0.2), **wider)
    )


def test_a_file_of_another_depth_is_an_error(images, tmp_path, weights):
    """All of the model is loaded; a quarter as many elements more have no place."""
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    own = sum(v.numel() for k, v in weights.items() if k.startswith('backbone.'))
    deeper = {**weights, 'backbone.2.more.weight': torch.ones(own // 4)}
    share = own / (own + own // 4)
    message = rf'for at least 90% .*, {share:.1%} have one; 1 .* first backbone.2.more'
    with pytest.raises(CheckpointError, match=message):
        train(config(images, tmp_path / 'strict', deeper, hook))
    found = receipt(tmp_path / 'strict')
    assert found['loaded_share_of_kept'] == 1
    assert found['placed_share_of_file'] == share
    train(config(images, tmp_path / 'lax', deeper, dict(hook, min_loaded=0.7)))
    # A classifier beside it is none.
    other = {**weights, 'backbone.fc.weight': torch.ones(own)}
    train(config(images, tmp_path / 'other', other, hook))


def test_that_zero_frozen_stages_are_one_is_said(images, tmp_path, weights):
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    runner = ExactRunner.from_cfg(config(images, tmp_path, weights, hook))
    runner.model.backbone.frozen_stages = 0
    runner.train()
    assert logged(tmp_path, 'backbone: frozen_stages=0 freezes the stem in ResNets')


@pytest.mark.parametrize(
    'hook, message',
    [
        (dict(keep=['bakbone']), "keep: expected the pattern 'bakbone' .* the model"),
        (
            dict(keep=['backbone'], reinit=['head.fc_mask']),
            "reinit: expected the pattern 'head.fc_mask' to name a part of the model",
        ),
        (dict(keep=[]), r'expected lists of parts, got keep=\[\]'),
        (dict(keep='backbone'), "got keep='backbone'"),
    ],
)
def test_a_pattern_that_names_nothing_is_an_error(
    images, tmp_path, weights, hook, message
):
    hook = dict(type='mmdetxfer.TransferHook', **hook)
    with pytest.raises(CheckpointError, match=message):
        train(config(images, tmp_path, weights, hook))


def test_a_head_that_the_file_does_not_have_is_an_error(images, tmp_path, weights):
    own = {k: v for k, v in weights.items() if 'fc_cls' not in k}
    with pytest.raises(CheckpointError, match="'head.fc_cls' to name a part of .*pth"):
        train(config(images, tmp_path, own))


def test_a_file_of_which_nothing_fits_is_an_error(images, tmp_path, weights):
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone.0.*'])
    wider = dict(backbone=dict(width=6))
    message = r'nothing of it fits the model: 2 tensors have another shape, first backb'
    with pytest.raises(CheckpointError, match=message):
        train(config(images, tmp_path, weights, hook, **wider))


def test_wildcards_name_parts_too(images, tmp_path, weights):
    hook = dict(
        type='mmdetxfer.TransferHook', keep=['*'], reinit=['*.fc_cls', 'backbone.?']
    )
    state = began_with(config(images, tmp_path, weights, hook))
    same = {
        name
        for name, value in state.items()
        if value.shape == weights[name].shape and torch.equal(value, weights[name])
    }
    assert same == {
        'neck.weight',
        'neck.bias',
        'head.fc_reg.weight',
        'head.fc_reg.bias',
    }


def test_without_weights_nothing_would_be_transferred(images, tmp_path):
    with pytest.raises(CheckpointError, match='expected load_from, or parts with'):
        train(config(images, tmp_path))


def test_an_averaged_model_begins_with_the_same_weights(images, tmp_path, weights):
    """mmengine copies the model before its parts are initialised."""
    averaged = dict(state_dict=weights, ema_state_dict={'steps': torch.zeros(1)})
    cfg = config(images, tmp_path, averaged)
    cfg.custom_hooks.append(dict(type='EMAHook'))
    cfg.model.init_cfg = dict(type='Constant', layer='Linear', val=0.5)
    runner = Watching.from_cfg(cfg)
    copies = []
    hook = next(one for one in runner.hooks if type(one).__name__ == 'EMAHook')
    original = hook.before_train_iter

    def look(runner, *args, **kwargs):
        if not copies:
            state = hook.ema_model.module.state_dict()
            copies.append({k: v.clone() for k, v in state.items()})
        return original(runner, *args, **kwargs)

    hook.before_train_iter = look
    runner.train()
    for name, value in runner.began_with.items():
        assert torch.equal(copies[0][name], value), name
    assert (copies[0]['head.fc_cls.weight'] == 0.5).all()


def test_a_resumed_training_keeps_what_it_has_learnt(images, tmp_path, weights):
    cfg = config(images, tmp_path, weights)
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    train(cfg)
    written = (tmp_path / 'transfer_receipt.json').read_text()
    learnt = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    (tmp_path / 'epoch_2.pth').unlink()
    (tmp_path / 'epoch_2.pth.sha256').unlink()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    cfg = config(images, tmp_path, weights)
    cfg.train_cfg.max_epochs = 2
    cfg.resume, cfg.load_from = True, str(tmp_path / 'epoch_1.pth')
    state = began_with(cfg)
    assert all(torch.equal(state[name], learnt[name]) for name in learnt)
    assert (tmp_path / 'transfer_receipt.json').read_text() == written


def test_a_test_scores_the_head_that_was_trained(images, tmp_path, weights):
    cfg = config(images, tmp_path, weights)
    train(cfg)
    learnt = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    cfg = config(images, tmp_path / 'test')
    cfg.load_from = str(tmp_path / 'epoch_1.pth')
    loader = cfg.train_dataloader.to_dict()
    cfg.test_dataloader = dict(
        loader, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    cfg.test_evaluator, cfg.test_cfg = dict(type='NoMetric'), dict(type='TestLoop')
    runner = ExactRunner.from_cfg(cfg)
    runner.test()
    state = runner.model.state_dict()
    assert all(torch.equal(state[name], learnt[name]) for name in learnt)
    assert not (tmp_path / 'test' / 'transfer_receipt.json').exists()


def test_frozen_parts_are_proven_unchanged(images, tmp_path, weights):
    cfg = config(images, tmp_path, weights)
    cfg.custom_hooks.append(
        dict(type='mmdetxfer.FreezeHook', parts=['backbone.0', 'neck'])
    )
    train(cfg)
    found = receipt(tmp_path)
    assert sorted(found['frozen']) == ['backbone.0', 'neck']
    assert found['frozen_and_moved'] == []
    assert logged(tmp_path, '2 of 2 frozen parts unchanged')


def test_statistics_that_moved_are_told(images, tmp_path, weights):
    """A norm without gradients, in training mode: its weights stay, its means go."""
    cfg = config(images, tmp_path, weights)
    runner = ExactRunner.from_cfg(cfg)
    for parameter in runner.model.backbone[1].parameters():
        parameter.requires_grad = False
    runner.train()
    assert receipt(tmp_path)['frozen_and_moved'] == ['backbone.1']
    assert logged(tmp_path, 'parts without gradients have moved: backbone.1')


def test_a_part_that_moved_though_it_was_frozen_by_name_is_an_error(
    images, tmp_path, weights
):
    cfg = config(images, tmp_path, weights)
    cfg.custom_hooks.append(dict(type='mmdetxfer.FreezeHook', parts=['neck']))
    runner = ExactRunner.from_cfg(cfg)
    original = runner.model.train_step

    def moving(data, optim_wrapper):
        with torch.no_grad():
            runner.model.neck.bias += 1
        return original(data, optim_wrapper)

    runner.model.train_step = moving
    with pytest.raises(CheckpointError, match='frozen parts have moved .*: neck; see'):
        runner.train()


def test_a_part_moved_though_all_its_children_were_frozen_by_name_too(
    images, tmp_path, weights
):
    """Its hash is kept under its own name, which nobody gave."""
    sound = {k: v.abs() if k.endswith('var') else v for k, v in weights.items()}
    cfg = config(images, tmp_path, sound)
    children = [f'backbone.{k}' for k in range(4)]
    cfg.custom_hooks.append(dict(type='mmdetxfer.FreezeHook', parts=children))
    runner = ExactRunner.from_cfg(cfg)
    original = runner.model.train_step

    def moving(data, optim_wrapper):
        with torch.no_grad():
            runner.model.backbone[0].bias += 1e-3
        return original(data, optim_wrapper)

    runner.model.train_step = moving
    with pytest.raises(CheckpointError, match='frozen parts have moved .*: backbone;'):
        runner.train()


def test_resumed_elsewhere_the_proof_is_missed(images, tmp_path, weights):
    train(config(images, tmp_path / 'first', weights))
    cfg = config(images, tmp_path / 'second')
    cfg.experiment_name = 'second'
    cfg.train_cfg.max_epochs = 2
    cfg.resume, cfg.load_from = True, str(tmp_path / 'first' / 'epoch_1.pth')
    ExactRunner.from_cfg(cfg).train()
    assert logged(tmp_path / 'second', 'cannot be proven; resume in the same work_dir')


def test_a_file_with_another_kind_of_head_gives_its_backbone(images, tmp_path, weights):
    """A classifier's file: its head is in no pattern, the detector's is left."""
    other = {
        name.replace('head.fc_cls', 'head.fc'): value
        for name, value in weights.items()
        if 'neck' not in name and 'fc_reg' not in name
    }
    hook = dict(type='mmdetxfer.TransferHook', keep=['backbone'])
    state = began_with(config(images, tmp_path, other, hook))
    assert torch.equal(state['backbone.0.weight'], weights['backbone.0.weight'])
    found = receipt(tmp_path)
    row = row_of(other, 'head.fc')
    assert found['unused'] == {'in no pattern': {**row, 'parts': {'head.fc': row}}}
    tensors = {name: part['tensors'] for name, part in found['parts'].items()}
    assert tensors['head'] == {'left as initialised': 4}
    assert tensors['backbone'] == {'loaded': 14}
