"""tools/extract_features.py: the same whether killed or not, one rank or two."""

import copy
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from tool_runner import CLS, DET, PLAIN, REPOSITORY, SEG

from mmdetxfer.engine.frozen_features import (
    FrozenFeatures,
    LayerRequest,
    labelled_images,
)
from mmdetxfer.engine.frozen_network import frozen_network
from mmdetxfer.errors import UserError
from mmdetxfer.extraction import _is_before_predictors, extract_features
from mmdetxfer.feature_files import load_features, read_manifest
from mmdetxfer.models.named_layers import NamedLayers
from mmdetxfer.predictions import load_predictions
from mmdetxfer.text_files import sha256_of_file

CONFIG = REPOSITORY / 'configs/sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py'
TOOL = 'extract_features.py'
LAYERS = ('--layers', 'Conv5', 'FC1', '--pooling', '1', '2')
SAME = ('--data', CLS, '--part', 'val', '--images-per-shard', '2', *LAYERS)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A detector of random weights and statistics, trained on BGR less 10."""
    cfg = Config.fromfile(CONFIG)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    convention = dict(channel_order='bgr', mean=[10.0] * 3, std=[1.0] * 3)
    convention['value_range'] = 255
    meta = dict(input_convention=convention)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def files(folder):
    found = {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*.npy')}
    assert found
    return found


def test_what_is_missing_is_made_and_equals_what_was_never_lost(
    tools, here, checkpoint
):
    def extract(out, *more, **how):
        arguments = (checkpoint, *SAME, '--out', out, '--batch-size', '4', *more)
        return tools(TOOL, CONFIG, *arguments, cwd=here, **how)

    first = extract('whole')
    whole = files(here / 'whole')
    shards = sum('FC1' in str(path) for path in whole)
    assert shards > 1 and len(whole) == 3 * shards
    assert f'{shards} shards made by this process, in whole' in first.printed
    assert 'BGR mean 10' in first.printed
    extract('ranks', ranks=2)
    assert files(here / 'ranks') == whole
    # A lost and a damaged one are made again, the others are left.
    lost, damaged = [path for path in sorted(whole) if 'FC1' in str(path)][:2]
    (here / 'ranks' / lost).unlink()
    (here / 'ranks' / damaged).write_bytes(whole[damaged][:200])
    again = extract('ranks')
    assert '2 shards made by this process' in again.printed
    assert files(here / 'ranks') == whole
    other = extract('whole', '--batch-size', '3', fails=True)
    assert 'it holds features of another batch_size; name' in other.printed
    content = torch.load(checkpoint, weights_only=True)
    content['state_dict']['roi_head.bbox_head.fc_cls.bias'] += 1
    torch.save(content, here / 'other.pth')
    other = (here / 'other.pth', *SAME, '--out', 'whole', '--batch-size', '4')
    ended = tools(TOOL, CONFIG, *other, cwd=here, fails=True)
    assert 'it holds features of another weights; name' in ended.printed
    assert files(here / 'whole') == whole
    manifest = read_manifest(here / 'whole')
    assert manifest.weights == sha256_of_file(checkpoint)
    # The data's crop of 96 px, and the convention of the checkpoint.
    for part in ("'crop_size': 96", "'scale': 112", "'channel_order': 'bgr'"):
        assert part in manifest.preprocessing
    assert "'mean': [10.0, 10.0, 10.0]" in manifest.preprocessing
    assert manifest.layers == ('Conv5 1x1', 'Conv5 2x2', 'FC1')
    found = {key: load_features(here / 'whole', key) for key in manifest.layers}
    single, double = (found[f'Conv5 {size}'].features for size in ('1x1', '2x2'))
    means = double.reshape(*single.shape, 4).mean(2)
    np.testing.assert_allclose(means, single, rtol=1e-5, atol=1e-6)
    # As the network itself sees the images in its own convention.
    expected = by_hand(here, checkpoint)
    np.testing.assert_allclose(found['FC1'].features, expected, rtol=1e-4, atol=1e-5)


def by_hand(here, checkpoint):
    """FC1 of all images, one by one: BGR less 10, without padding."""
    cfg = Config.fromfile(CONFIG)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).eval()
    content = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(content['state_dict'])
    layers = NamedLayers(model)
    data = Config.fromfile(CLS)
    data.val_dataloader.dataset.data_root = str(here / data.data_root)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(data.val_dataloader.dataset)
    found = [
        layers(dataset[k]['inputs'][None].float() - 10, ['FC1'])['FC1']
        for k in range(len(dataset))
    ]
    return torch.cat(found).numpy()


def test_after_a_sigkill_only_what_is_missing_is_made(tools, here, checkpoint):
    """Killed when the first shard is there; the others come out as without it."""
    words = [CONFIG, checkpoint, '--data', CLS, '--part', 'train', *LAYERS]
    words += ['--images-per-shard', '2', '--num-workers', '0', '--out']
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / 'tools' / TOOL, *words, 'killed'],
        cwd=here,
        env={**os.environ, **PLAIN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 120
    while len(list(here.glob('killed/FC1/*.sha256'))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = {p: p.stat().st_mtime_ns for p in here.glob('killed/FC1/*.sha256')}
    # Of the last one the other layers may be missing.
    kept = sorted(done)[:-1]
    ended = tools(TOOL, *words, 'killed', cwd=here)
    tools(TOOL, *words, 'whole', cwd=here)
    assert files(here / 'killed') == files(here / 'whole')
    num_shards = len(list(here.glob('whole/FC1/*.npy')))
    made = int(ended.printed.split(' shards made by this process')[0].split()[-1])
    assert 0 < made < num_shards
    assert kept and all(p.stat().st_mtime_ns == done[p] for p in kept)


def test_data_without_the_part_is_refused(tools, here, checkpoint):
    child = here / 'data.py'
    child.write_text(f'_base_ = {str(CLS)!r}\nval_dataloader = None\n')
    words = ('--data', child, '--part', 'val', '--out', 'x')
    ended = tools(TOOL, CONFIG, checkpoint, *words, cwd=here, fails=True)
    assert 'data.py: expected a val_dataloader, a test_dataloader and' in ended.printed


def test_classes_without_names_have_numbers(tools, here):
    """As mmpretrain's Flowers102: its labels are those of the 102."""
    from mmdetxfer.worlds.classification_sets import write_flowers102

    write_flowers102(here / 'flowers', {'train': 4, 'val': 4, 'test': 4}, 0)
    data = REPOSITORY / 'configs/transfer_cls/r18-c5_1xb32-200i_world-flowers102.py'
    child = here / 'data.py'
    child.write_text(
        f'_base_ = {str(data)!r}\n'
        "test_dataloader = dict(dataset=dict(dataset=dict(data_root='flowers')))\n"
    )
    words = ('--data', child, '--part', 'test', '--out', 'x')
    options = ('--cfg-options', 'model.backbone.init_cfg=None')
    tools(TOOL, CONFIG, *words, *options, cwd=here)
    found = load_features(here / 'x', 'Conv5 1x1')
    assert found.classes == tuple(map(str, range(max(found.labels) + 1)))
    assert found.image_ids[0].endswith('image_00009')


def test_without_weights_they_are_drawn_with_a_seed(tools, here):
    def extract(out, seed):
        words = ('--data', CLS, '--part', 'val', '--out', out, '--seed', seed)
        options = ('--cfg-options', 'model.backbone.init_cfg=None')
        tools(TOOL, CONFIG, *words, *options, cwd=here)
        return load_features(here / out, 'Conv5 1x1').features

    first = extract('first', 1)
    np.testing.assert_array_equal(first, extract('again', 1))
    assert abs(first - extract('other', 2)).max() > 1e-3
    words = ('--data', CLS, '--part', 'val', '--out', 'first', '--seed', 1)
    options = ('--cfg-options', 'model.backbone.init_cfg=None')
    options += ('model.roi_head.bbox_head.fc_out_channels=64',)
    ended = tools(TOOL, CONFIG, *words, *options, cwd=here, fails=True)
    assert 'first: it holds features of another network; name' in ended.printed


def test_a_classifiers_own_head_on_pooled_features_is_its_test(tools, here, trained):
    """Its preprocessor stands beside the model, in the config."""
    weights = (trained[CLS] / 'last_checkpoint').read_text()
    words = ('--data', CLS, '--part', 'test', '--out', 'x')
    tools(TOOL, CLS, weights, *words, cwd=here)
    features = load_features(here / 'x', 'Conv5 1x1')
    state = torch.load(weights, weights_only=True)['state_dict']
    scores = torch.tensor(features.features) @ state['head.fc.weight'].T
    scores = (scores + state['head.fc.bias']).softmax(1)
    tools('test.py', CLS, weights, '--out', 'found.npz', cwd=here)
    found = load_predictions(here / 'found.npz')
    assert found.image_ids == features.image_ids
    np.testing.assert_allclose(scores, found.columns['scores'], rtol=1e-3, atol=1e-5)


def test_a_segmentors_features_are_of_images_without_borders(tools, here):
    """Its own test pads 96 px to 128; its preprocessor counts in RGB."""
    cfg = Config.fromfile(SEG)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model).eval()
    convention = dict(channel_order='rgb', mean=[20.0] * 3, std=[4.0] * 3)
    meta = dict(input_convention=dict(convention, value_range=255))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), here / 'seg.pth')
    words = ('--data', CLS, '--part', 'val', '--out', 'x', '--layers', 'Conv5:1,2')
    options = ('--cfg-options', 'model.data_preprocessor.test_cfg.size_divisor=64')
    tools(TOOL, SEG, 'seg.pth', *words, *options, cwd=here)
    data = Config.fromfile(CLS)
    data.val_dataloader.dataset.data_root = str(here / data.data_root)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(data.val_dataloader.dataset)
    inputs = torch.stack([dataset[k]['inputs'] for k in range(len(dataset))])
    with torch.no_grad():
        maps = model.backbone((inputs[:, [2, 1, 0]].float() - 20) / 4)[-1]
    # 96 px at stride 8, as segmentors dilate.
    assert maps.shape[1:] == (128, 12, 12)
    fields = maps.reshape(-1, 128, 2, 6, 2, 6).mean((3, 5)).flatten(1)
    for key, expected in (('1x1', maps.mean((2, 3))), ('2x2', fields)):
        found = load_features(here / 'x', f'Conv5 {key}').features
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_weights_that_the_config_begins_with_are_named(tools, here, checkpoint):
    words = ('--data', CLS, '--part', 'val', '--out', 'x')
    child = here / 'begun.py'
    init = dict(type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.')
    init = dict(init, _delete_=True)
    child.write_text(
        f'_base_ = {str(CONFIG)!r}\nmodel = dict(backbone=dict(init_cfg={init}))\n'
    )
    tools(TOOL, child, *words, cwd=here)
    found = read_manifest(here / 'x').weights
    assert str(checkpoint) in found and sha256_of_file(checkpoint) in found
    first = load_features(here / 'x', 'Conv5 1x1').features
    tools(TOOL, CONFIG, checkpoint, *words[:-1], 'y', cwd=here)
    # The same backbone, and the same convention.
    second = load_features(here / 'y', 'Conv5 1x1').features
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    'words, said',
    [
        (('--layers', 'FC3'), "has no layer 'FC3'; it has Conv2"),
        (('--pooling', '14'), 'expected a map of 14x14 or more, got a layer of (128'),
        (('--batch-size', '0'), 'expected 1 or more, got 0 and 1024'),
        (('--images-per-shard', '0'), 'expected 1 or more, got 32 and 0'),
        (('--data', 'none.py'), 'config not found: expected a file at none.py'),
        (('--data', str(DET)), '(gt_label), image 0 of VOCDataset has None'),
    ],
)
def test_what_makes_no_sense_ends_with_one_line(tools, here, checkpoint, words, said):
    base = ('--data', CLS, '--part', 'val', '--out', 'x')
    ended = tools(TOOL, CONFIG, checkpoint, *base, *words, cwd=here, fails=True)
    assert said in ended.printed and 'Traceback' not in ended.printed


@pytest.mark.parametrize(
    'changes, said',
    [
        (dict(depth=34), 'it has backbone.layer1.2.conv1.weight beside'),
        (
            dict(base_channels=32),
            'weight has the shape (32, 64, 3, 3), in the model (16',
        ),
    ],
)
def test_weights_of_another_depth_or_width_are_refused(tmp_path, changes, said):
    """By the host they are loaded as far as they fit, the rest is random."""
    cfg = Config.fromfile(CLS)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        other = cfg.model.copy()
        other.backbone = {**other.backbone, **changes}
        other.head = {
            **other.head,
            'in_channels': 256 if 'base_channels' in changes else 128,
        }
        state = MODELS.build(other).state_dict()
        torch.save(dict(state_dict=state), tmp_path / 'other.pth')
        with pytest.raises(UserError, match=re.escape(said)):
            frozen_network(cfg, str(tmp_path / 'other.pth'))
        model = MODELS.build(cfg.model)
        torch.save(dict(state_dict=model.state_dict()), tmp_path / 'own.pth')
        found = frozen_network(cfg, str(tmp_path / 'own.pth')).cpu().state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)


def test_weights_that_differ_where_no_layer_is_are_taken(tmp_path):
    """Another number of classes; a Swin V2, which makes its tables of places itself."""
    swin = Config(
        dict(
            model=dict(
                type='ImageClassifier',
                backbone=dict(
                    type='SwinTransformerV2',
                    arch=dict(
                        embed_dims=8,
                        depths=[1, 1, 1, 1],
                        num_heads=[1, 1, 1, 1],
                        extra_norm_every_n_blocks=0,
                    ),
                    img_size=64,
                    window_size=[4, 4, 4, 2],
                ),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=3, in_channels=64),
            )
        )
    )
    for cfg in (Config.fromfile(CLS), swin):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            other = copy.deepcopy(cfg.model)
            other.head.num_classes = 7
            model = MODELS.build(other)
            path = str(tmp_path / 'other.pth')
            torch.save(dict(state_dict=model.state_dict()), path)
            found = frozen_network(cfg, path, 0, _is_before_predictors).cpu()
            for name, value in model.backbone.state_dict().items():
                own = found.backbone.state_dict()[name]
                torch.testing.assert_close(own, value, rtol=0, atol=0)
            with pytest.raises(UserError, match=r'the shape \(7, \d+\), in the model'):
                frozen_network(cfg, path)


class TwoSizes(torch.nn.Module):
    """A network whose memory holds so many images, and whose statistics may move."""

    def __init__(self, most=99, moves=False):
        super().__init__()
        self.most, self.moves = most, moves
        self.backbone = torch.nn.Conv2d(3, 2, 1)
        self.register_buffer('seen', torch.zeros(()))

    def data_preprocessor(self, data, training):
        return dict(inputs=torch.stack(data['inputs']))


class Backbone(torch.nn.Conv2d):
    def __init__(self, most, owner):
        super().__init__(3, 2, 1)
        self.most, self.owner = most, [owner]

    def forward(self, x):
        if len(x) > self.most:
            raise torch.OutOfMemoryError('too many')
        if self.owner[0].moves:
            self.owner[0].seen += 1
        return super().forward(x)


def toy(most=99, moves=False):
    model = TwoSizes(most, moves)
    model.backbone = Backbone(most, model)
    return model


REQUEST = (LayerRequest('stage1'),)


def test_out_of_memory_halves_the_batch_and_says_so():
    images = [torch.rand(3, 4, 4) for _ in range(11)]
    said, model = [], toy(most=3)
    small = FrozenFeatures(model, REQUEST, 8, said.append)
    found = small(images)['stage1 1x1']
    assert small.batch_size == 2
    assert said == [f'out of memory: {k} images at a time from here' for k in (4, 2)]
    model.backbone.most = 99
    whole = FrozenFeatures(model, REQUEST, 11, said.append)(images)['stage1 1x1']
    np.testing.assert_allclose(found, whole, rtol=1e-6)
    with pytest.raises(torch.OutOfMemoryError):
        FrozenFeatures(toy(most=0), REQUEST, 1, said.append)(images)


def test_images_of_several_sizes_are_refused():
    images = [torch.rand(3, 4, 4), torch.rand(3, 4, 5)]
    with pytest.raises(UserError, match='makes all images of one size'):
        FrozenFeatures(toy(), REQUEST, 2, print)(images)


class Images(torch.utils.data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return dict(inputs=torch.full((3, 4, 4), float(index)))

    def get_data_info(self, index):
        return dict(img_path=f'/data/cat/{index}.jpg', gt_label=index % 2)


def test_a_network_that_changes_is_no_frozen_one(tmp_path):
    from pathlib import Path

    from mmdetxfer.feature_files import FeatureManifest

    ids, labels = labelled_images(Images(), Path('/data'))
    assert ids == ('cat/0', 'cat/1', 'cat/2') and labels == (0, 1, 0)
    manifest = FeatureManifest(
        'w', 'n', 'p', ('stage1 1x1',), ids, labels, ('x', 'y'), 2, 2
    )
    settings = (Images(), REQUEST, manifest)
    done = extract_features(toy(), *settings, tmp_path / 'a', 0)
    assert (done.num_shards, done.num_images, done.batch_size) == (2, 3, 2)
    with pytest.raises(RuntimeError, match='is not what it was at the beginning'):
        extract_features(toy(moves=True), *settings, tmp_path / 'b', 0)
    # What it gave does not count.
    done = extract_features(toy(), *settings, tmp_path / 'b', 0)
    assert done.num_shards == 2
