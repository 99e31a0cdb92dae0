"""tools/probe.py: what it fits, keeps, compares and refuses."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tool_runner import REPOSITORY

from mmdetxfer.evaluation.probe_tables import labelled_test_images
from mmdetxfer.feature_files import load_features, read_manifest
from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions
from mmdetxfer.probe_plan import ProbePlan
from mmdetxfer.probes import (
    ProbeSettings,
    few_shot_probe,
    h_score,
    log_evidence,
    scored_probe,
)
from mmdetxfer.probes.eigenbasis import eigenbasis
from mmdetxfer.probes.feature_set import FeatureSet
from mmdetxfer.probing import _fit

TOOL = 'probe.py'
CLASSIFIER = REPOSITORY / 'configs/tiny/tiny_cls_r18_1xb8-2e_world-imagenet.py'
DETECTOR = REPOSITORY / 'configs/sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py'
NAMES = ('cat', 'dog', 'owl')
NUM = {'train': 6, 'test': 4}
STRENGTHS = (0.1, 10.0, 1000.0)

DATA = """
default_scope = 'mmpretrain'
classes = {classes}
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
toy = dict(
    type='CustomDataset', data_root='toy', metainfo=dict(classes=classes)
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file='train.txt', data_prefix='train', pipeline=test_pipeline, **toy
    ),
)
test_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file='test.txt', data_prefix='test', pipeline=test_pipeline, **toy
    ),
)
"""
PLAN = """
_classifier, _detector = {classifier!r}, {detector!r}
seeds = [3, 5]
baseline = 'plain'
candidates = dict(
    plain=dict(config=_classifier),
    boxes=dict(config=_detector, seeds=[7]),
    longer=dict(),
)
targets = dict(
    toy=dict(config='data.py', fine_tuned='tuned/{{candidate}}_{{seed}}.npz'),
    other=dict(config='gaps.py', has_all_classes=False),
)
layers = ['Conv4:2', 'Conv5:1,2', 'FC1']
strengths = [0.1, 10.0, 1000.0]
shots = [1, 2, 50]
draws = 2
batch_size = 5
"""


@pytest.fixture
def place(here):
    """Images brighter by class, a plan, and predictions of fine-tuned candidates."""
    rng = np.random.default_rng(0)
    for part, count in NUM.items():
        for label, name in enumerate(NAMES):
            folder = here / 'toy' / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.normal(90 + 30 * label, 60, (64, 64, 3)).clip(0, 255)
                cv2.imwrite(str(folder / f'{index}.png'), pixels.astype(np.uint8))
                with open(here / 'toy' / f'{part}.txt', 'a') as stream:
                    stream.write(f'{name}/{index}.png {label}\n')
    (here / 'data.py').write_text(DATA.format(classes=NAMES))
    # As in the real SUN-397: classes of which there is no image here.
    (here / 'gaps.py').write_text(DATA.format(classes=(*NAMES, 'yak')))
    text = PLAN.format(classifier=str(CLASSIFIER), detector=str(DETECTOR))
    (here / 'plan.py').write_text(text)
    (here / 'tuned').mkdir()
    # How many of the 12 images are right; of boxes there is nothing.
    for name, right in (
        ('plain_3', 6),
        ('plain_5', 8),
        ('longer_3', 9),
        ('longer_5', 12),
    ):
        write_tuned(here / 'tuned' / f'{name}.npz', right)
    return here


def write_tuned(path, num_right, task='classification', drop=0):
    """Write scores in another order than that of the images."""
    ids = [f'{name}/{k}' for name in NAMES for k in range(NUM['test'])]
    labels = np.repeat(np.arange(3), NUM['test'])
    named = np.where(np.arange(12) < num_right, labels, (labels + 1) % 3)
    order = np.arange(12)[::-1][: 12 - drop]
    scores = np.eye(3, dtype=np.float32)[named[order]]
    header = PredictionHeader(task, NAMES, 'hash', 'config.py')
    found = Predictions(header, tuple(ids[k] for k in order), dict(scores=scores))
    save_predictions(path, found)


def rows_of(folder, **wanted):
    lines = (folder / 'records.jsonl').read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


def probe(tools, place, *more, **how):
    words = ('plan.py', '--work-dir', 'out', '--resamples', '50', *more)
    return tools(TOOL, *words, cwd=place, **how).printed


def test_networks_of_two_kinds_are_compared_at_the_last_layer_of_each(tools, place):
    """A residual network, a ConvNeXt and a ViT: each has names of its own beside."""
    (place / 'next.py').write_text(
        f"""_base_ = {str(CLASSIFIER)!r}
model = dict(
    backbone=dict(
        _delete_=True,
        type='ConvNeXt',
        arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 24, 32]),
        gap_before_final_norm=False,
    ),
    head=dict(in_channels=32),
)
"""
    )
    (place / 'vit.py').write_text(
        f"""_base_ = {str(CLASSIFIER)!r}
model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48),
        img_size=64,
        patch_size=16,
        out_type='avg_featmap',
    ),
    neck=None,
    head=dict(in_channels=24),
)
"""
    )
    (place / 'plan.py').write_text(
        f"""
seeds = [3]
baseline = 'plain'
candidates = dict(
    plain=dict(config={str(CLASSIFIER)!r}),
    next=dict(config='next.py'),
    vit=dict(config='vit.py'),
)
targets = dict(toy=dict(config='data.py'))
layers = ['Conv5:1', 'stage4:1', 'block2:1', 'last:1']
main_layer = 'last 1x1'
strengths = [0.1, 10.0, 1000.0]
shots = [1]
draws = 1
"""
    )
    printed = probe(tools, place)
    assert 'has no stage4, block2: left out; it has Conv2' in printed
    assert 'has no Conv5, block2: left out; it has stage4' in printed
    assert 'has no Conv5, stage4: left out; it has block1, block2, stage2' in printed
    rows = rows_of(place / 'out', kind='score', table='layers', score='top-1')
    scores = {(row['candidate'], row['layer']): row['value'] for row in rows}
    own = {('plain', 'Conv5 1x1'), ('next', 'stage4 1x1'), ('vit', 'block2 1x1')}
    last = {(name, 'last 1x1') for name in ('plain', 'next', 'vit')}
    assert scores.keys() == own | last
    # Of the third the last is normalised once more.
    for name, layer in own - {('vit', 'block2 1x1')}:
        assert scores[name, layer] == scores[name, 'last 1x1']
    rows = rows_of(place / 'out', kind='score', table='probes', score='top-1')
    assert {row['layer'] for row in rows} == {'last 1x1'} and len(rows) == 3


def test_an_h_score_is_of_more_images_than_features():
    """8 features of 30 images have one, 40 have none: all labels are alike to them."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    for num_features, is_there in ((8, True), (40, False)):
        features = rng.normal(size=(30, num_features)).astype(np.float32)
        names = tuple(map(str, range(30)))
        part = FeatureSet(features, labels, names, NAMES)
        plan = ProbePlan({}, {}, 'a', ('Conv5:1',), settings=ProbeSettings(STRENGTHS))
        found = _fit(plan, plan.main_layer, part, part)['transferability']
        assert ('H-score' in found) == is_there
        if is_there:
            basis = eigenbasis(features)
            assert found['H-score'] == pytest.approx(h_score(basis, labels, 3))


def test_tables_are_of_probes_by_hand_and_nothing_is_made_twice(tools, place):
    printed = probe(tools, place)
    out = place / 'out'
    assert 'ImageClassifier has no FC1: left out' in printed
    settings = ProbeSettings(STRENGTHS)
    for name, seed, layer in (
        ('plain', 5, 'Conv5 1x1'),
        ('plain', 3, 'Conv4 2x2'),
        ('boxes', 7, 'FC1'),
    ):
        folder = out / f'features/toy/{name}/seed_{seed}'
        assert read_manifest(folder / 'test').batch_size == 5
        train, test = (load_features(folder / part, layer) for part in NUM)
        parts = (train.features, train.labels, test.features, test.labels, NAMES)
        choice, expected = scored_probe(*parts, settings)
        head = dict(kind='score', table='layers', target='toy', group='all')
        place_of = dict(candidate=name, seed=seed, layer=layer)
        (row,) = rows_of(out, score='top-1', **head, **place_of)
        assert row['value'] == pytest.approx(expected.top1)
        (row,) = rows_of(out, score='mean per class', **head, **place_of)
        assert row['value'] == pytest.approx(expected.mean_per_class)
        (row,) = rows_of(out, kind='fit', target='toy', **place_of)
        assert row['strength'] == choice.probe.strength
        assert row['num_features'] == train.features.shape[1]
        if layer != 'Conv5 1x1':
            continue
        draws = [few_shot_probe(*parts, 2, draw, settings).top1 for draw in (0, 1)]
        (row,) = rows_of(
            out,
            kind='score',
            table='few-shot',
            target='toy',
            shots=2,
            candidate=name,
            seed=seed,
        )
        assert row['value'] == pytest.approx(np.mean(draws))
        # 50 images a class are more than there are.
        assert not rows_of(out, table='few-shot', shots=50)
        rows = rows_of(
            out, kind='transferability', target='toy', candidate=name, seed=seed
        )
        # With fewer images than features there is no H-score.
        assert {row['score']: row['value'] for row in rows} == {
            'LogME': pytest.approx(log_evidence(train.features, train.labels, 3)),
            'neighbours': pytest.approx(neighbours_right(train)),
        }
    # Without the class that has no image, the same images and probes.
    scores = [
        [row['value'] for row in rows_of(out, kind='score', table='probes', target=one)]
        for one in ('toy', 'other')
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 6
    check_fine_tuned(out)
    text = (out / 'tables.md').read_text()
    assert '### Layers of boxes on toy (Table 5)' in text
    assert re.search(r'\| FC1 \|.*\d+\.\d', text)
    assert '| longer |  |' not in text.partition('Fine-tuned')[0]
    for stem in ('layers.png', 'layers.svg', 'scores.csv', 'differences.md'):
        assert (out / stem).is_file()
    # Nobody has boxes here.
    assert not (out / 'objects.png').exists()
    kept = (out / 'records.jsonl').read_text()
    damaged = out / 'probes/toy/plain/seed_3/Conv5-2x2.json'
    damaged.write_text(damaged.read_text()[:50])
    printed = probe(tools, place)
    fits = [line for line in printed.splitlines() if ', strength ' in line]
    assert len(fits) == 1 and fits[0].startswith('toy, plain, seed 3, Conv5 2x2: top-1')
    assert (out / 'records.jsonl').read_text() == kept


def neighbours_right(features):
    """All 17 others vote with exp(cosine / 0.07), as fewer than 20 are there."""
    directions = features.features.astype(float)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    votes = np.exp(directions @ directions.T / 0.07)
    np.fill_diagonal(votes, 0)
    named = (votes @ np.eye(3)[features.labels]).argmax(1)
    return (named == features.labels).mean()


def check_fine_tuned(out):
    """6 and 8 of 12 right are 0.583 in the mean, 9 and 12 are 0.875."""
    rows = rows_of(out, kind='score', table='fine-tuned', score='top-1')
    values = {(row['candidate'], row['seed']): row['value'] for row in rows}
    assert values == {
        ('plain', 3): 6 / 12,
        ('plain', 5): 8 / 12,
        ('longer', 3): 9 / 12,
        ('longer', 5): 1.0,
    }
    (row,) = rows_of(out, kind='difference', table='fine-tuned', score='top-1')
    assert row['difference'] == pytest.approx(10.5 / 12 - 7 / 12)
    (best,) = rows_of(out, kind='best', table='fine-tuned', score='top-1')
    assert best['candidates'][0] == 'longer'
    assert '| longer | 87.5 (75.0 to 100.0) |' in (out / 'tables.md').read_text()


@pytest.mark.parametrize(
    'change, said',
    [
        ('layer = 1', "unexpected keyword argument 'layer'"),
        ('del candidates', 'expected candidates, targets, baseline and layers'),
        ("baseline = 'longer'", "a baseline among plain, boxes, got 'longer'"),
        ("main_layer = 'FC1'", 'one of the layers that plain has, Conv4 2x2, Conv5'),
        ("targets['toy']['fine_tuned'] = 'a_{seed}'", 'toy: expected fine_tuned with'),
        ("targets['toy']['config'] = 'gaps.py'", "class 'yak' has none (1 without)"),
        (
            "candidates['plain']['checkpoint'] = 'no_{seed}.pth'",
            'a file at no_3.pth',
        ),
        ("candidates['plain']['checkpoint'] = 'data.py'", 'which 2 seeds would count'),
        ("candidates['plain']['seeds'] = []", 'plain: expected a seed or more'),
        ("targets['toy']['config'] = 'none.py'", 'toy: expected a file at none.py'),
        ('seeds = 1', "'int' object is not iterable"),
        ('strengths = []', 'expected one or more above 0'),
        ('draws = 0', 'shots and draws from 1'),
        ("layers[0] = 'Conv9'", "has no layer 'Conv9'; it has Conv2, Conv3"),
    ],
)
def test_a_plan_that_cannot_be_is_one_line(tools, place, change, said):
    path = place / 'plan.py'
    path.write_text(path.read_text() + change + '\n')
    printed = probe(tools, place, fails=True)
    assert said in printed and 'Traceback' not in printed


def test_a_checkpoint_that_could_run_code_needs_to_be_trusted(tools, place):
    """It holds a Path, a type of no allow-list. Trusted, it is of another network."""
    convention = dict(channel_order='bgr', mean=[10.0] * 3, std=[1.0] * 3)
    meta = dict(input_convention=dict(convention, value_range=255), origin=Path('x'))
    content = dict(state_dict=dict(weight=torch.zeros(2)), meta=meta)
    torch.save(content, place / 'odd.pth')
    path = place / 'plan.py'
    change = "candidates['plain'].update(checkpoint='odd.pth', seeds=[0])\n"
    path.write_text(path.read_text() + change)
    printed = probe(tools, place, fails=True)
    assert '--trust-checkpoint' in printed and 'tensors are missing' not in printed
    printed = probe(tools, place, '--trust-checkpoint', fails=True)
    assert "expected the weights of the config's network" in printed


def test_other_plans_options_and_predictions(tools, place):
    assert 'expected 2 or more, got 1' in probe(
        tools, place, '--resamples', '1', fails=True
    )
    write_tuned(place / 'tuned/longer_3.npz', 3, drop=2)
    printed = probe(tools, place, fails=True)
    assert "target's 12 test images, 2 differ, such as 'cat/0'" in printed
    write_tuned(place / 'tuned/longer_3.npz', 3, task='detection')
    assert 'predictions of a classifier, got detection' in probe(
        tools, place, fails=True
    )
    # A candidate whose predictions are not all there has no row.
    (place / 'tuned/longer_3.npz').unlink()
    options = ('--cfg-options', 'strengths=[1.0]', '--device', 'cpu')
    said = probe(tools, place, *options)
    assert 'toy: no predictions of fine-tuned boxes, longer' in said
    rows = rows_of(place / 'out', kind='fit')
    assert {row['strength'] for row in rows} == {1.0}
    rows = rows_of(place / 'out', kind='score', table='fine-tuned', score='top-1')
    assert {row['candidate'] for row in rows} == {'plain'}


def test_ids_of_test_images_are_those_of_predictions(place, monkeypatch):
    monkeypatch.chdir(place)
    ids, labels = labelled_test_images('data.py')
    assert ids[0] == 'cat/0' and labels.tolist() == np.repeat([0, 1, 2], 4).tolist()
