"""Cells of a study at work in all three hosts, in forks of the tools' server.

Trials choose, chains begin with their stages, candidates that are no ResNets have
configs of their own; the report has every part.
"""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from safetensors.torch import save_file
from tool_runner import CLS, CONFIGS, DET, REPOSITORY, SEG

from mmdetxfer.study.cells import Machine
from mmdetxfer.study.plan import planned
from mmdetxfer.study.reading import read_study
from mmdetxfer.study.records import read_records
from mmdetxfer.study.report_check import unresolved_numbers
from mmdetxfer.study.snakefile import Settings, prepare
from mmdetxfer.study.writing import write_study_report

WORK = REPOSITORY / 'mmdetxfer' / 'study' / 'work.py'
RATE = 'optim_wrapper.optimizer.lr'
HOOKS = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
SWIN = CONFIGS / 'resume_det_retinanet-swin_1xb2-12e_world-voc.py'
CONVNEXT = """
_base_ = 'CLS'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ConvNeXt',
        arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 24, 32]),
        drop_path_rate=0.0,
        gap_before_final_norm=False,
    ),
    head=dict(in_channels=32),
)
"""
VIT = """
_base_ = 'CLS'

model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch=dict(
            embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48
        ),
        img_size=96,
        patch_size=16,
        out_type='avg_featmap',
    ),
    neck=None,
    head=dict(in_channels=24),
)
"""
TIMM = """
_base_ = 'CLS'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='vit_tiny_patch16_224',
        features_only=True,
        out_indices=(1,),
        depth=2,
        embed_dim=24,
        num_heads=2,
        dynamic_img_size=True,
    ),
    head=dict(in_channels=24),
)
"""


def weights_of(config: Path, file: Path, prefix: str) -> None:
    """Write random weights of a config's backbone, as somebody else would have."""
    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        backbone = MODELS.build(cfg.model.backbone)
    state = {f'{prefix}{key}': value for key, value in backbone.state_dict().items()}
    if file.suffix == '.safetensors':
        save_file(state, file)
    else:
        torch.save(state, file)


@pytest.fixture(scope='module')
def made(tools, world, tmp_path_factory):
    """A plan whose cells were worked off, one after the other."""
    here = tmp_path_factory.mktemp('cells')
    (here / 'work_dirs').mkdir()
    (here / 'work_dirs' / 'world_tiny').symlink_to(world / 'work_dirs/world_tiny')
    for name, text in (('convnext', CONVNEXT), ('vit', VIT), ('timm_vit', TIMM)):
        (here / f'{name}.py').write_text(text.replace('CLS', str(CLS)))
    weights_of(CLS, here / 'moco.pth', 'backbone.')
    weights_of(here / 'convnext.py', here / 'convnext.safetensors', 'backbone.')
    weights_of(here / 'vit.py', here / 'vit.pth', 'backbone.')
    weights_of(here / 'timm_vit.py', here / 'timm.safetensors', 'backbone.')
    weights_of(SWIN, here / 'swin.pth', 'backbone.')
    short = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}
    fast = dict(config=str(CLS), options=short)
    outside = dict(input_convention='torchvision', words='from elsewhere')
    own = 'CANDIDATE.py'
    study = dict(
        question='Does every kind of network go through?',
        baseline='cls',
        options={'log_level': 'WARNING'},
        candidates={
            'cls': dict(stages=[fast]),
            'moco': dict(stages=[dict(file='moco.pth')], **outside),
            **{
                name: dict(
                    stages=[dict(file=file)],
                    configs=dict(pets=own.replace('CANDIDATE', name)),
                    **outside,
                )
                for name, file in (
                    ('convnext', 'convnext.safetensors'),
                    ('vit', 'vit.pth'),
                    ('timm_vit', 'timm.safetensors'),
                )
            },
        },
        targets=dict(
            pets=dict(
                task='classification',
                config=str(CLS),
                loaded=dict(custom_hooks=HOOKS, **short),
                chosen=dict(all={RATE: 0.03}),
            )
        ),
    )
    (here / 'kinds.py').write_text(_as_config(study))
    tasks = {**study, 'question': 'Do all tasks go through?'}
    tasks['candidates'] = {
        'cls': study['candidates']['cls'],
        'swin': dict(
            stages=[dict(file='swin.pth')], configs=dict(found=str(SWIN)), **outside
        ),
    }
    tasks['targets'] = dict(
        found=dict(
            task='detection',
            config=str(DET),
            loaded=dict(custom_hooks=HOOKS, **short),
        ),
        pets=dict(
            task='classification',
            config=str(CLS),
            loaded=dict(custom_hooks=HOOKS, **short),
            settings=[{RATE: 0.02}, {RATE: 0.01}],
            part={'train_dataloader.dataset.split': 'train'},
            rest={'test_dataloader.dataset.split': 'train'},
        ),
        parted=dict(
            task='segmentation',
            config=str(SEG),
            loaded={'custom_hooks': HOOKS, 'train_cfg.max_iters': 4},
        ),
    )
    (here / 'tasks.py').write_text(_as_config(tasks))
    plans = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for name in ('kinds', 'tasks'):
            machine = Machine(cells=Path('work_dirs/cells'))
            plans[name] = plan = planned(read_study(f'{name}.py'), machine)
            prepare(plan, here / name, Settings(), {})
            for key in plan.cells:
                if name == 'tasks' and _is_left_out(plan, key):
                    continue
                if not (plan.folder(key) / 'records.jsonl').is_file():
                    tools(WORK, plan.folder(key), cwd=here)
        yield plans, here


def _is_left_out(plan, key) -> bool:
    """Swin's keys fit no ResNet: it has a config for one target alone."""
    (use, *_) = [use for use in plan.uses if use.key == key]
    return use.candidate == 'swin' and use.target != 'found'


def _as_config(study: dict) -> str:
    return ''.join(f'{key} = {value!r}\n' for key, value in study.items())


def head_of(plan, **wanted):
    (use,) = plan.used('final', **wanted)
    folder = plan.folder(use.key)
    return read_records(folder / 'records.jsonl')[0], folder


@pytest.mark.parametrize('name', ['moco', 'convnext', 'vit', 'timm_vit'])
def test_networks_of_every_kind_are_loaded_whole(made, name):
    """In the input convention that the study states for them."""
    plan = made[0]['kinds']
    head, folder = head_of(plan, candidate=name, target='pets')
    assert head['receipt']['loaded_share_of_kept'] == 1.0
    means = head['receipt']['input_convention']['mean']
    assert means == pytest.approx([123.675, 116.28, 103.53])
    assert rate_of(folder) == 0.03


def rate_of(folder: Path) -> float:
    (dumped,) = (folder / 'training').glob('*.py')
    return Config.fromfile(dumped).optim_wrapper.optimizer.lr


def test_the_best_of_the_trials_is_what_was_trained_with(made):
    head, folder = head_of(made[0]['tasks'], candidate='cls', target='pets')
    tried = head['chosen']['tried']
    assert [one['options'][RATE] for one in tried] == [0.02, 0.01]
    best = max(tried, key=lambda one: one['score'])
    assert head['chosen']['chosen'] == best['options']
    assert rate_of(folder) == best['options'][RATE]


def test_detectors_and_segmentors_leave_predictions_scores_and_costs(made):
    plan = made[0]['tasks']
    for name, target, score, file in (
        ('cls', 'found', 'AP50', 'predictions.npz'),
        ('swin', 'found', 'AP70', 'predictions.npz'),
        ('cls', 'parted', 'mIoU', 'label_maps/manifest.json'),
    ):
        head, folder = head_of(plan, candidate=name, target=target)
        rows = read_records(folder / 'records.jsonl')
        assert score in {row.get('score') for row in rows}
        assert (folder / file).is_file() and head['cost']['multiply_adds'] > 0
        trained = json.loads((folder / 'trained.json').read_text())
        assert trained['weights_sha256'] == head['weights_sha256']


def test_the_report_has_every_part_of_what_is_there(made):
    plans, here = made
    said = []
    html = write_study_report(plans['tasks'], here / 'tasks', 'x', said.append)
    text = html.read_text()
    records = {row['id']: row for row in read_records(here / 'tasks/records.jsonl')}
    assert unresolved_numbers(text, records) == []
    for words in ('Detection: ', 'What is wrong', 'Segmentation: ', 'own scores'):
        assert words in text
    assert 'weights from outside' in text
    # One seed: no claim, whatever the scores.
    assert sum('training noise is unknown, so' in line for line in said) == 3
