"""A checkpoint that does not fit is an error, counted in elements."""

import re

import pytest
import torch
from mmengine.model import BaseModel, BaseModule, BaseTTAModel
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.engine.fitting import check_fit, check_initial_weights
from mmdetxfer.errors import CheckpointError


class Detector(BaseModel):
    """A backbone of 12 elements, in two tensors, and a head of 3."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(3, 3)
        self.head = nn.Linear(2, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


class Bare(BaseModel):
    """A model without a backbone: 8 + 2 elements."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 2, bias=False)
        self.second = nn.Linear(2, 1, bias=False)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


def state_of(model, *left_out, **replaced):
    state = {k: v.clone() for k, v in model.state_dict().items() if k not in left_out}
    return {**state, **{k.replace('__', '.'): v for k, v in replaced.items()}}


def test_a_whole_checkpoint_is_said_to_be_whole():
    model = Detector()
    line = check_fit(model, {'state_dict': state_of(model)}, 'x.pth', is_whole=True)
    assert line == (
        'x.pth filled 4 of 4 tensors (100.0 % of the elements of the model)'
    )


def test_a_bare_state_dict_is_a_checkpoint_too():
    model = Detector()
    assert 'filled 4 of 4' in check_fit(model, state_of(model), 'x.pth', is_whole=True)


def test_a_resumed_or_tested_model_may_miss_nothing():
    """The head's bias is 1 of 15 elements: 14/15 = 93.3 %."""
    model = Detector()
    state = state_of(model, 'head.bias')
    with pytest.raises(CheckpointError) as caught:
        check_fit(model, state, 'x.pth', is_whole=True)
    line = str(caught.value)
    assert 'filled 3 of 4 tensors (93.3 % of the elements of the model)' in line
    assert 'head.bias is missing' in line and 'another architecture?' in line


def test_a_training_may_start_without_the_head():
    model = Detector()
    state = state_of(model, 'head.weight', 'head.bias')
    line = check_fit(model, state, 'x.pth', is_whole=False)
    assert 'filled 2 of 4 tensors (100.0 % of the elements of the backbone)' in line


def test_a_training_needs_half_of_the_backbones_elements():
    """The backbone's weight is 9 of 12 elements, its bias 3 of 12."""
    model = Detector()
    line = check_fit(model, state_of(model, 'backbone.bias'), 'x', is_whole=False)
    assert '75.0 % of the elements of the backbone' in line
    with pytest.raises(CheckpointError, match='25.0 %.*at least 50 %.*weight is miss'):
        check_fit(model, state_of(model, 'backbone.weight'), 'x', is_whole=False)


def test_the_limit_itself_is_enough():
    """Two tensors of 4 elements each."""
    model = Bare()
    model.second = nn.Linear(4, 2, bias=False)
    state = state_of(model, 'second.weight')
    assert '50.0 %' in check_fit(model, state, 'x.pth', is_whole=False)


def test_without_a_backbone_the_whole_model_counts():
    """8 of 10 elements are enough, 2 of 10 are not."""
    model = Bare()
    line = check_fit(model, state_of(model, 'second.weight'), 'x', is_whole=False)
    assert '80.0 % of the elements of the model' in line
    with pytest.raises(CheckpointError, match='20.0 %'):
        check_fit(model, state_of(model, 'first.weight'), 'x', is_whole=False)


def test_other_shapes_do_not_fill_and_are_named():
    model = Detector()
    state = state_of(model, backbone__weight=torch.zeros(5, 3))
    expected = re.escape('backbone.weight has the shape (5, 3), in the model (3, 3)')
    for is_whole in (True, False):
        with pytest.raises(CheckpointError, match=expected):
            check_fit(model, state, 'x.pth', is_whole)


def test_values_that_are_no_tensors_do_not_fill():
    model = Detector()
    state = state_of(model, head__weight='text')
    with pytest.raises(CheckpointError, match='head.weight is missing'):
        check_fit(model, state, 'x.pth', is_whole=True)


def test_three_examples_are_named_and_the_rest_is_counted():
    model = Detector()
    with pytest.raises(CheckpointError, match='missing and 1 more;'):
        check_fit(model, {'other': torch.ones(1)}, 'x.pth', is_whole=True)


def test_a_bare_backbone_is_told_how_to_be_loaded():
    model = Detector()
    state = {'weight': torch.zeros(3, 3), 'bias': torch.zeros(3)}
    with pytest.raises(
        CheckpointError, match="Weights of a part .* prefix='backbone.'"
    ):
        check_fit(model, state, 'x.pth', is_whole=False)


def test_the_prefix_of_a_parallel_model_is_no_obstacle():
    """mmengine takes 'module.' off when it loads."""
    model = Detector()
    state = {f'module.{key}': value for key, value in state_of(model).items()}
    assert 'filled 4 of 4' in check_fit(model, state, 'x.pth', is_whole=True)


def test_more_than_the_model_wants_is_no_fault():
    model = Detector()
    state = state_of(model, ema__steps=torch.ones(1))
    assert 'filled 4 of 4' in check_fit(model, state, 'x.pth', is_whole=True)


def test_missing_counters_of_batch_norm_are_no_fault():
    """Converted weights have none; mmengine does not mind either.

    The version that goes with the state tells batch norm not to invent them.
    """
    model = Bare()
    model.norm = nn.BatchNorm2d(2)
    state = model.state_dict()
    del state['norm.num_batches_tracked']
    assert state._metadata['norm'] == {'version': 2}
    assert 'filled 6 of 6' in check_fit(model, state, 'x.pth', is_whole=True)
    with pytest.raises(CheckpointError, match='norm.running_var is missing'):
        check_fit(model, state_of(model, 'norm.running_var'), 'x.pth', is_whole=True)


class Renamed(nn.Linear):
    """Knows its weight by an older name, as mmcv's deformable convolutions do."""

    _version = 2

    def _load_from_state_dict(self, state, prefix, metadata, *rest):
        if metadata.get('version', 1) < 2 and f'{prefix}former' in state:
            state[f'{prefix}weight'] = state.pop(f'{prefix}former')
        super()._load_from_state_dict(state, prefix, metadata, *rest)


def test_what_a_module_renames_counts_as_there():
    model = Bare()
    model.first = Renamed(4, 2, bias=False)
    state = state_of(model, 'first.weight')
    with pytest.raises(CheckpointError, match='first.weight is missing'):
        check_fit(model, state, 'x.pth', is_whole=True)
    state['first.former'] = torch.full((2, 4), 7.0)
    before = dict(state)
    assert 'filled 2 of 2' in check_fit(model, state, 'x.pth', is_whole=True)
    assert state == before and torch.equal(model.first.weight, state['first.former'])


def test_the_check_leaves_the_model_as_the_load_made_it():
    model, source = Detector(), Detector()
    state = source.state_dict()
    load_state_dict(model, state)
    check_fit(model, {'state_dict': state}, 'x.pth', is_whole=True)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())


def test_a_model_without_any_tensor_is_filled_by_anything():
    empty = nn.Sequential(nn.ReLU())
    assert '0 of 0' in check_fit(empty, {}, 'x.pth', is_whole=True)


class Part(BaseModule):
    """12 elements, from a file."""

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.linear = nn.Linear(3, 3)


class OwnWay(Part):
    """Loads its file itself, as transformers do whose keys were renamed."""

    def init_weights(self):
        pass


class WithParts(BaseModel):
    def __init__(self, part=Part, **pretrained):
        super().__init__()
        self.part = part(dict(type='Pretrained', **pretrained) if pretrained else None)
        self.head = nn.Linear(3, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


@pytest.fixture
def whole_file(tmp_path):
    """The weights of a whole model with such a part."""
    torch.save({'state_dict': WithParts().state_dict()}, tmp_path / 'whole.pth')
    return str(tmp_path / 'whole.pth')


def initialised(**pretrained):
    install_safe_loading()
    model = WithParts(**pretrained)
    model.init_weights()
    return model


@pytest.mark.parametrize('prefix', ['part.', 'part'])
def test_a_part_that_starts_from_its_own_weights_is_filled(whole_file, prefix):
    (line,) = check_initial_weights(initialised(checkpoint=whole_file, prefix=prefix))
    assert line.startswith(f'{whole_file} (init_cfg of part) filled 2 of 2 tensors')


def test_a_part_that_found_nothing_in_its_file_stops_the_training(whole_file):
    """Without the prefix no key fits; mmengine logs that and trains from scratch."""
    model = initialised(checkpoint=whole_file)
    with pytest.raises(
        CheckpointError, match='init_cfg of part. filled 0 of 2 .*prefix'
    ):
        check_initial_weights(model)


def test_parts_that_load_in_their_own_way_or_from_nothing_are_left_alone(whole_file):
    assert check_initial_weights(initialised()) == []
    assert check_initial_weights(initialised(part=OwnWay, checkpoint=whole_file)) == []


@MODELS.register_module(force=True)
class FittingDetector(Detector):
    """The detector above, for configs."""


@MODELS.register_module(force=True)
class FittingTTA(BaseTTAModel):
    """Keeps the model as ``module``, as test-time augmentation does."""

    def merge_preds(self, data_samples_list):
        return data_samples_list


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Our Runner with a test-time augmented model, ready to load."""
    from mmengine.runner import runner as host_runner

    from mmdetxfer.engine import ExactRunner

    monkeypatch.setattr(host_runner, 'collect_env', dict)
    module = dict(type='FittingDetector')
    return ExactRunner(
        model=dict(type='FittingTTA', module=module),
        work_dir=str(tmp_path),
        experiment_name=f'fitting_{tmp_path.name}',
        default_scope='mmengine',
        log_level='WARNING',
    )


def test_the_model_inside_test_time_augmentation_is_the_one_that_is_filled(
    runner, tmp_path
):
    state = Detector().state_dict()
    torch.save({'state_dict': state}, tmp_path / 'x.pth')
    runner.load_checkpoint(str(tmp_path / 'x.pth'))
    assert torch.equal(runner.model.module.head.weight, state['head.weight'])
    torch.save({'state_dict': {**state, 'head.bias': None}}, tmp_path / 'y.pth')
    with pytest.raises(CheckpointError, match='filled 3 of 4 tensors'):
        runner.load_checkpoint(str(tmp_path / 'y.pth'))
