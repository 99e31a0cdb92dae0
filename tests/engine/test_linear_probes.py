"""Probes beside a training and as a test: what they score, and that nothing moves."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope
from toy_training import detector_config, make_data, train

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.frozen_features import (
    FrozenFeatures,
    LayerRequest,
    as_before,
    requests_for,
)
from mmdetxfer.engine.linear_probe_hook import LinearProbeHook
from mmdetxfer.engine.linear_probe_loop import LinearProbeLoop
from mmdetxfer.engine.probe_images import ProbeImages
from mmdetxfer.errors import UserError
from mmdetxfer.models.named_layers import NamedLayers
from mmdetxfer.probes import ProbeSettings, scored_probe

CLASSES = ('cat', 'dog', 'owl')
NUM = {'train': 10, 'test': 5}
STRENGTHS = (0.01, 1.0, 100.0)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """The toy detector's images, and a folder a class of brighter and darker ones."""
    folder = make_data(tmp_path_factory.mktemp('data'))
    rng = np.random.default_rng(1)
    for part, count in NUM.items():
        for label, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.normal(90 + 30 * label, 60, (32, 32, 3))
                path = folder / part / name / f'{index}.png'
                cv2.imwrite(str(path), pixels.clip(0, 255).astype(np.uint8))
    return folder


def loader(data, part, batch_size=4):
    dataset = dict(
        type='CustomDataset',
        data_root=str(data / part),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    )
    return dict(batch_size=batch_size, num_workers=1, dataset=dataset)


EVALUATOR = dict(type='mmdetxfer.LinearProbeEvaluator', strengths=STRENGTHS)


def probed_config(data, folder, layers=('stage1:1,2',), evaluator=EVALUATOR, **more):
    cfg = detector_config(data, folder)
    cfg.test_dataloader = loader(data, 'test')
    cfg.test_evaluator = evaluator
    cfg.test_cfg = dict(
        type='mmdetxfer.LinearProbeLoop',
        train_dataloader=loader(data, 'train', 7),
        layers=layers,
        **more,
    )
    return cfg


def by_hand(model, data, size):
    """The same scores from images one by one, and arrays."""
    parts = []
    for part in NUM:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(loader(data, part)['dataset'])
        inputs = torch.stack([dataset[k]['inputs'] for k in range(len(dataset))])
        maps = model.eval().backbone((inputs.float() - 127) / 64)[0].detach()
        pooled = torch.nn.functional.adaptive_avg_pool2d(maps, size).flatten(1)
        labels = [dataset.get_data_info(k)['gt_label'] for k in range(len(dataset))]
        parts += [pooled.numpy(), np.array(labels)]
    return scored_probe(*parts, CLASSES, ProbeSettings(STRENGTHS))


def test_a_test_scores_each_layer_as_arrays_by_hand(data, tmp_path):
    runner = ExactRunner.from_cfg(probed_config(data, tmp_path))
    scores = runner.test()
    for size in (1, 2):
        choice, expected = by_hand(runner.model, data, size)
        name = f'probe/stage1_{size}x{size}'
        assert scores[f'{name}_top1'] == pytest.approx(expected.top1)
        assert scores[f'{name}_mean_per_class'] == expected.mean_per_class
        assert scores[f'{name}_strength'] == choice.probe.strength
    assert len(scores) == 6


def test_layers_without_poolings_of_their_own_have_those_of_all(data, tmp_path):
    cfg = probed_config(data, tmp_path, ('stage1', 'FC1'), pooling=(4,))
    scores = ExactRunner.from_cfg(cfg).test()
    assert {name.rsplit('_', 1)[0] for name in scores} == {
        'probe/stage1_4x4',
        'probe/stage1_4x4_mean_per',
    }


@pytest.mark.parametrize(
    'evaluator, message',
    [
        (dict(EVALUATOR, strengths=(1e-30,)), 'stage1 1x1: strength 1e-30 was chosen'),
        (dict(type='CocoMetric'), "expected an evaluator of type 'mmdetxfer.LinearPr"),
        ([EVALUATOR], 'expected an evaluator of type'),
    ],
)
def test_what_cannot_be_probed_is_one_line(data, tmp_path, evaluator, message):
    cfg = probed_config(data, tmp_path, evaluator=evaluator)
    with pytest.raises(UserError, match=message):
        ExactRunner.from_cfg(cfg).test()


@pytest.mark.parametrize(
    'change',
    [
        dict(held_out=0.5),
        dict(seed=3),
        dict(is_standardised=False),
        dict(strengths_of_many=(2.0,)),
    ],
)
def test_settings_of_the_evaluator_reach_the_probes(data, tmp_path, change):
    cfg = probed_config(data, tmp_path, evaluator=dict(EVALUATOR, **change))
    runner = ExactRunner.from_cfg(cfg)
    settings = runner.test_loop.evaluator.settings
    assert settings == ProbeSettings(STRENGTHS, **change)


def hook(data, **more):
    return dict(
        type='mmdetxfer.LinearProbeHook',
        train_dataloader=loader(data, 'train'),
        test_dataloader=loader(data, 'test'),
        evaluator=EVALUATOR,
        layers=['stage1:1,2'],
        **more,
    )


def traced(folder, rank=0):
    lines = (folder / f'trace_{rank}.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def state(folder, name):
    content = torch.load(folder / name, weights_only=True)
    return {**content['state_dict'], **content['ema_state_dict']}


@pytest.mark.parametrize(
    'by_epoch, interval, steps, num_ranks',
    [(True, 1, [1, 2], 2), (False, 9, [9, 18, 22], 1)],
)
def test_a_training_is_to_the_bit_what_it_is_without(
    data, tmp_path, by_epoch, interval, steps, num_ranks
):
    """Losses, weights, averages and statistics; dropout and flips draw as before."""
    folders = [tmp_path / 'plain', tmp_path / 'probed']
    for folder in folders:
        cfg = detector_config(data, folder, by_epoch=by_epoch)
        cfg.randomness = dict(seed=0)
        if folder.name == 'probed':
            # Behind the averaging in the list; its priority decides.
            cfg.custom_hooks.append(hook(data, interval=interval, by_epoch=by_epoch))
        train(cfg, num_ranks=num_ranks)
    for rank in range(num_ranks):
        assert traced(folders[0], rank) == traced(folders[1], rank)
    name = 'epoch_2.pth' if by_epoch else 'iter_20.pth'
    first, second = (state(folder, name) for folder in folders)
    assert all(torch.equal(first[key], second[key]) for key in first)
    (scalars,) = folders[1].rglob('scalars.json')
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    rows = [row for row in rows if 'probe/stage1_1x1_top1' in row]
    assert [row['step'] for row in rows] == steps
    assert all(row['probe/stage1_2x2_strength'] in STRENGTHS for row in rows)


def test_averaged_weights_are_probed_and_statistics_stay(data, tmp_path, monkeypatch):
    """What reaches the probes is the averaged model in evaluation mode."""
    seen = []

    def looked(model, *settings):
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return {'probe/x_top1': 0.5}

    monkeypatch.setattr('mmdetxfer.engine.linear_probe_hook.probed', looked)
    cfg = detector_config(data, tmp_path, num_workers=0)
    cfg.custom_hooks.append(hook(data, interval=2))
    runner = ExactRunner.from_cfg(cfg)
    runner.train()
    (probed,) = seen
    content = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    # mmengine saves the averaged weights as the state, the trained ones beside them.
    averaged, trained = content['state_dict'], content['ema_state_dict']
    name = 'backbone.body.0.weight'
    assert torch.equal(probed[name], averaged[name])
    assert not torch.equal(probed[name], trained[f'module.{name}'])


def test_a_probe_that_fails_is_said_and_the_training_goes_on(data, tmp_path):
    """A strength so weak that the fit does not converge."""
    cfg = detector_config(data, tmp_path, num_workers=0)
    evaluator = dict(EVALUATOR, strengths=(1e-30,))
    cfg.custom_hooks.append(dict(hook(data, interval=2), evaluator=evaluator))
    ExactRunner.from_cfg(cfg).train()
    assert (tmp_path / 'epoch_2.pth').is_file()
    (log,) = tmp_path.rglob('*.log')
    assert (
        'no linear probe, epoch 2: probe of stage1 1x1: strength 1e-30'
        in log.read_text()
    )


@pytest.mark.parametrize(
    'change, by_epoch, message',
    [
        (dict(layers=['Conv9']), True, "has no layer 'Conv9'; it has stage1"),
        (dict(), False, 'expected by_epoch=False in a training by iterations'),
    ],
)
def test_what_cannot_be_is_said_before_the_training(
    data, tmp_path, change, by_epoch, message
):
    cfg = detector_config(data, tmp_path, by_epoch=by_epoch, num_workers=0)
    cfg.custom_hooks.append({**hook(data), **change})
    with pytest.raises(UserError, match=message):
        ExactRunner.from_cfg(cfg).train()
    assert not (tmp_path / 'trace_0.jsonl').exists()


def hurt_copy(data, folder):
    """Copy the images of the probes, to take some away."""
    for part in NUM:
        for name in CLASSES:
            shutil.copytree(data / part / name, folder / part / name)
    return folder


@pytest.mark.parametrize(
    'num_kept, message',
    [
        (0, 'linear probes: labels: expected 0 to 1 in the test, got 2'),
        (1, "linear probes: class 'owl': expected 2 images or more"),
    ],
)
def test_classes_of_too_few_images_are_named_before_any_features(
    data, tmp_path, num_kept, message
):
    """Ten owls to learn from, of which one or none is left."""
    images = hurt_copy(data, tmp_path / 'images')
    for path in sorted((images / 'train/owl').iterdir())[num_kept:]:
        path.unlink()
    if num_kept == 0:
        (images / 'train/owl').rmdir()
    cfg = detector_config(data, tmp_path / 'out', num_workers=0)
    cfg.custom_hooks.append(hook(images))
    with pytest.raises(UserError, match=message):
        ExactRunner.from_cfg(cfg).train()
    assert not (tmp_path / 'out/trace_0.jsonl').exists()
    with pytest.raises(UserError, match=message):
        ExactRunner.from_cfg(probed_config(images, tmp_path)).test()


def test_an_unreadable_image_of_one_rank_is_said_by_all_and_the_training_goes_on(
    data, tmp_path
):
    """Of two ranks the second has every other image from the second on.

    22 images are 6 batches of 2 a rank, 12 in two epochs.
    """
    images = hurt_copy(data, tmp_path / 'images')
    broken = images / 'train/cat/1.png'
    broken.write_bytes(broken.read_bytes()[:40])
    cfg = detector_config(data, tmp_path / 'out')
    cfg.custom_hooks.append(hook(images))
    train(cfg, num_ranks=2)
    assert [len(traced(tmp_path / 'out', rank)) for rank in range(2)] == [12, 12]
    (log,) = (tmp_path / 'out').rglob('*.log')
    for epoch in (1, 2):
        said = f'no linear probe, epoch {epoch}: {broken} cannot be read'
        assert said in log.read_text()


def test_an_unreadable_image_ends_a_test(data, tmp_path):
    images = hurt_copy(data, tmp_path / 'images')
    (images / 'test/dog/2.png').write_bytes(b'')
    with pytest.raises(UserError, match=r'test/dog/2\.png cannot be read'):
        ExactRunner.from_cfg(probed_config(images, tmp_path)).test()


def test_data_sets_are_built_in_the_scope_that_is_named(data, monkeypatch):
    """mmpretrain's by default: mmdet has no such data set."""
    with pytest.raises(KeyError, match='CustomDataset is not in the mmdet'):
        ProbeImages(loader(data, 'test'), 'mmdet')
    assert len(ProbeImages(loader(data, 'test'), 'mmpretrain').labels) == 15
    scopes = []

    class Stop(Exception):
        pass

    def built(settings, scope):
        scopes.append(scope)
        raise Stop

    for module in ('linear_probe_hook', 'linear_probe_loop'):
        monkeypatch.setattr(f'mmdetxfer.engine.{module}.ProbeImages', built)
    for more in ({}, dict(scope='mmdet')):
        with pytest.raises(Stop):
            LinearProbeHook({}, {}, **more).before_train(None)
        with pytest.raises(Stop):
            LinearProbeLoop(None, {}, {}, {}, **more)
    assert scopes == ['mmpretrain', 'mmpretrain', 'mmdet', 'mmdet']


def test_each_rank_needs_an_image(data, monkeypatch):
    monkeypatch.setattr('mmdetxfer.engine.probe_images.get_world_size', lambda: 16)
    with pytest.raises(UserError, match='for each of 16 ranks, got 15'):
        ProbeImages(loader(data, 'test'), 'mmpretrain')


def test_features_are_in_full_precision_by_the_hosts_own_kernels(data, tmp_path):
    """What cuDNN is told while the network runs, and afterwards."""
    model = ExactRunner.from_cfg(detector_config(data, tmp_path)).model
    seen = []
    model.backbone.register_forward_hook(
        lambda *_: seen.append((cudnn.enabled, cudnn.allow_tf32))
    )
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.allow_tf32
    FrozenFeatures(model, [LayerRequest('stage1')], 2, print)([torch.zeros(3, 8, 8)])
    assert seen == [(before[0], False)] and before[1]
    assert (cudnn.enabled, cudnn.allow_tf32) == before


def test_modes_and_padding_are_put_back(data, tmp_path):
    runner = ExactRunner.from_cfg(detector_config(data, tmp_path))
    model = runner.model.train()
    model.backbone.body[1].eval()
    model.data_preprocessor.pad_size_divisor = 32
    # As mmseg's has it.
    model.data_preprocessor.test_cfg = dict(size_divisor=64)
    modes = [module.training for module in model.modules()]
    with pytest.raises(RuntimeError), as_before(model):
        FrozenFeatures(model, [LayerRequest('stage1')], 2, print)
        assert model.data_preprocessor.pad_size_divisor == 1
        assert model.data_preprocessor.test_cfg is None
        assert not model.training
        raise RuntimeError
    assert [module.training for module in model.modules()] == modes
    assert model.data_preprocessor.pad_size_divisor == 32
    assert model.data_preprocessor.test_cfg == dict(size_divisor=64)


def test_intervals_begin_at_one(data):
    with pytest.raises(UserError, match='expected interval from 1, got 0'):
        LinearProbeHook({}, {}, interval=0)


def test_layers_that_only_other_networks_have_are_left_out(data, tmp_path):
    """Of heads, and of other kinds of backbones; a stage too many is an error."""
    model = ExactRunner.from_cfg(detector_config(data, tmp_path)).model
    layers, said = NamedLayers(model), []
    words = ['stage1:1,whole', 'FC1', 'ConvProj:2', 'Conv5', 'block12', 'last']
    found = requests_for(layers, words, ['4'], said.append)
    assert [one.key for one in found] == ['stage1 1x1', 'stage1 whole', 'last 4x4']
    (line,) = said
    assert 'has no FC1, ConvProj, Conv5, block12: left out; it has stage1' in line
    assert [one.key for one in requests_for(layers, ['stage1'], ['4'], print)] == [
        'stage1 4x4'
    ]
    with pytest.raises(UserError, match="has no layer 'FC1'; it has stage1"):
        requests_for(layers, ['FC1'], [1], print)
    for typo in ('stage9', 'conv1'):
        with pytest.raises(UserError, match=f"has no layer '{typo}'; it has stage1"):
            requests_for(layers, ['stage1', typo], [1], print)
