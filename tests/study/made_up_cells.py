"""Cells of a study of classification, made up so that their scores are known.

No network is trained: of each candidate a share of the images is right.
"""

from dataclasses import replace

import numpy as np

from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions
from mmdetxfer.study.cells import Machine
from mmdetxfer.study.plan import planned
from mmdetxfer.study.reading import Candidate, Stage, Study, Target
from mmdetxfer.study.records import write_records
from mmdetxfer.study.results import Results

NUM_IMAGES = 60
CONFIG = """
default_scope = 'mmpretrain'
model = dict(type='Anything')
optim_wrapper = dict(optimizer=dict(lr=0.1))
train_cfg = dict(max_epochs=1)
train_dataloader = dict(
    dataset=dict(type='CustomDataset', data_root='ROOT', pipeline=[], with_label=True)
)
test_dataloader = train_dataloader
"""


def make_pets(root):
    """A set of two classes in folders, and a config that reads it."""
    for place in range(NUM_IMAGES):
        folder = root / 'data' / 'ab'[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{place:02d}.png').write_bytes(b'')
    path = root / 'pets.py'
    path.write_text(CONFIG.replace('ROOT', str(root / 'data')))
    return path


def study_of(config, **changes):
    # Another number of epochs: another pre-training of the same config.
    stages = [
        Stage(config=str(config), options={'train_cfg.max_epochs': count})
        for count in (2, 3)
    ]
    candidates = {
        'scratch': Candidate(words='nothing'),
        'cls': Candidate(words='one stage', stages=(stages[0],)),
        'det': Candidate(words='two stages of 2 kinds', stages=tuple(stages)),
    }
    target = Target('classification', str(config), words='60 images of pets')
    study = Study('made', 'which of 3?', candidates, dict(pets=target), 'cls')
    return replace(study, seeds=(0, 1, 2), **changes)


def head_of(cell, **more):
    return dict(
        key=cell.key,
        what=cell.kind,
        config=cell.spec['config'],
        seed=cell.spec['seed'],
        weights_sha256='ab' * 32,
        data={},
        versions={},
        cost=dict(multiply_adds=2 * 10**12, not_counted=['DeformConv2d']),
        receipt=dict(loaded_share_of_kept=1.0),
        volatile=dict(seconds=30.0),
        **more,
    )


def make_cells(plan, shares, without=(), only=None):
    """Write cells whose predictions have a share of the images right.

    The images that are right are drawn anew for each seed.
    """
    for use in plan.uses:
        cell, folder = plan.cells[use.key], plan.folder(use.key)
        if use.candidate in without and use.role == 'final':
            continue
        if only is not None and use.key not in only:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        if use.role == 'pretrain':
            write_records(folder, head_of(cell), [])
            continue
        rng = np.random.default_rng([use.seed, list(shares).index(use.candidate)])
        right = rng.permutation(NUM_IMAGES) < shares[use.candidate] * NUM_IMAGES
        labels = np.repeat([0, 1], NUM_IMAGES // 2)
        scores = np.zeros((NUM_IMAGES, 2), dtype=np.float32)
        scores[np.arange(NUM_IMAGES), np.where(right, labels, 1 - labels)] = 1
        ids = tuple(
            f'{"ab"[label]}/{2 * (k % (NUM_IMAGES // 2)) + label:02d}'
            for k, label in enumerate(labels)
        )
        header = PredictionHeader('classification', ('a', 'b'), 'ab' * 32, 'pets.py')
        save_predictions(
            folder / 'predictions.npz', Predictions(header, ids, dict(scores=scores))
        )
        row = dict(kind='score', score='top-1', value=float(right.mean()))
        write_records(folder, head_of(cell), [row])


def results_of(study, tmp_path, shares, without=()):
    plan = planned(study, Machine(cells=tmp_path / 'w' / 'cells'))
    make_cells(plan, shares, without)
    return Results(plan, tmp_path / 'study', lambda _: None)
