"""What the Runner does by itself, without a training."""

from types import SimpleNamespace

import pytest
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import IterBasedTrainLoop

from mmdetxfer.datasets import GuardedDataset
from mmdetxfer.engine import ExactRunner


class Images(list):
    """A data set of a class that its sampler insists on."""


@DATA_SAMPLERS.register_module()
class SamplerOfImages:
    def __init__(self, dataset, seed):
        assert isinstance(dataset, Images)
        self.dataset = dataset

    def __iter__(self):
        return iter(range(len(self.dataset)))

    def __len__(self):
        return len(self.dataset)


def test_a_sampler_sees_the_data_set_itself_and_the_loader_a_guarded_one():
    config = dict(
        dataset=Images([1, 2, 3]), sampler=dict(type='SamplerOfImages'), batch_size=2
    )
    loader = ExactRunner.build_dataloader(config, seed=0)
    assert isinstance(loader.dataset, GuardedDataset)
    assert [batch for batch in loader] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ('then', 'iteration', 'wanted'),
    [
        (100, 350, 350),
        (None, 350, 350),
        (800, 2800, 350),
        (50, 175, 350),
        (None, 2400, 300),
        (None, 150, 300),
    ],
)
def test_a_share_of_the_epoch_is_kept_when_an_epoch_has_other_batches(
    then, iteration, wanted
):
    """Epoch 3 with 100 batches now. Known: 2800 of 800 each is half an epoch, so 350.

    Unknown (a file of another Runner): 350 fits; 2400 and 150 do not, and are taken for
    whole epochs of 800 and 50.
    """
    loop = SimpleNamespace(_iter=iteration, _epoch=3, dataloader=range(100))
    said = []
    runner = SimpleNamespace(
        train_loop=loop, logger=SimpleNamespace(warning=said.append)
    )
    ExactRunner._adapt_epoch_length(runner, then)
    assert loop._iter == wanted
    assert bool(said) == (iteration != 350)


def test_an_iteration_loop_has_no_epochs_to_adapt():
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    loop._iter = 7
    ExactRunner._adapt_epoch_length(SimpleNamespace(train_loop=loop), 3)
    assert loop._iter == 7
