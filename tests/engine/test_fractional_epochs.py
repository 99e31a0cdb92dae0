"""Steps at fractions of an epoch happen at the iteration nearest to them."""

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch.utils.data import DataLoader

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.fractional_epochs import in_iterations
from mmdetxfer.errors import UserError

STEP = dict(type='MultiStepLR', milestones=[0.33, 1.5], gamma=0.1, begin=0, end=2)


def test_fractions_are_put_into_iterations_and_whole_epochs_left_alone():
    """Epochs of 10: 0.33 -> 3, 1.5 -> 15, the end of epoch 2 -> 20."""
    found = in_iterations({**STEP, 'convert_to_iter_based': True}, 10)
    expected = dict(STEP, milestones=[3, 15], end=20, by_epoch=False)
    assert found == expected
    whole = dict(STEP, milestones=[1, 2.0])
    assert in_iterations(whole, 10) is whole
    iterations = dict(STEP, by_epoch=False)
    assert in_iterations(iterations, 10) is iterations
    warm_up = dict(type='LinearLR', start_factor=0.1, begin=0, end=0.5, by_epoch=True)
    assert in_iterations(warm_up, 10)['end'] == 5


def test_an_end_of_never_stays_and_schedules_with_other_epochs_are_refused():
    endless = dict(STEP, end=float('inf'))
    assert in_iterations(endless, 10)['end'] == float('inf')
    for kind in ('ExponentialLR', 'mmengine.CosineRestartLR', 'OneCycleLR'):
        with pytest.raises(
            UserError, match=f'{kind[-10:]} with a fraction of an epoch'
        ):
            in_iterations(dict(type=kind, begin=0.5), 10)
        in_iterations(dict(type=kind, begin=1), 10)


class OneWeight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.weight.sum())


class RateTrace(Hook):
    def __init__(self):
        self.rates = []

    def before_train_iter(self, runner, *args, **kwargs):
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])


def rates(tmp_path, scheduler) -> list[float]:
    """Train two epochs of ten iterations and return the rate of each."""
    data = [dict(inputs=torch.zeros(1))] * 10
    trace = RateTrace()
    ExactRunner(
        model=OneWeight(),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(data, sampler=DefaultSampler(data, shuffle=False)),
        train_cfg=dict(type='mmdetxfer.ExactEpochTrainLoop', max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        param_scheduler=scheduler,
        custom_hooks=[trace],
        cfg=Config(dict()),
        experiment_name=tmp_path.name,
    ).train()
    return trace.rates


def test_the_rate_falls_at_the_nearest_iteration(tmp_path):
    """Warm-up over the first 0.2 epochs (2 iterations), then 3 and 15 of 20."""
    warm_up = dict(type='LinearLR', start_factor=0.5, begin=0, end=0.25, by_epoch=True)
    found = rates(tmp_path, [warm_up, STEP])
    # 0.25 of 10 is 2.5, which python rounds to the even 2.
    assert found == pytest.approx([0.5] + [1.0] * 2 + [0.1] * 12 + [0.01] * 5)


def test_mmengine_alone_never_takes_the_step():
    """Why: 0.33 x 10 = 3.3 is no iteration."""
    from mmengine.optim import MultiStepLR

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    arguments = {k: v for k, v in STEP.items() if k not in ('type', 'end')}
    scheduler = MultiStepLR.build_iter_from_epoch(
        optimizer, **arguments, epoch_length=10
    )
    for _ in range(14):
        scheduler.step()
    assert optimizer.param_groups[0]['lr'] == 1.0
