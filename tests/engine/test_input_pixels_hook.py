"""What a training cost: 22 batches of 2 images of 64 x 64 are 180,224 pixels."""

import json

import pytest
from toy_images import ToySum  # noqa: F401, registered by this import
from toy_training import detector_config, make_data, train

from mmdetxfer.engine import InputPixelsHook
from mmdetxfer.errors import UserError


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data') / 'coco')


def counting_config(data, folder, divisor=1):
    cfg = detector_config(data, folder, num_workers=0)
    cfg.model.data_preprocessor.pad_size_divisor = divisor
    cfg.custom_hooks.append(dict(type='mmdetxfer.InputPixelsHook'))
    return cfg


def record(folder):
    return json.loads((folder / 'input_pixels.json').read_text())


def test_training_images_are_counted_and_those_of_validation_are_not(data, tmp_path):
    train(counting_config(data, tmp_path / 'run'))
    found = record(tmp_path / 'run')
    assert found == dict(megapixels=22 * 2 * 64 * 64 / 1e6, iterations=22)


def test_a_frozen_backbone_sees_pixels_too(data, tmp_path):
    cfg = counting_config(data, tmp_path / 'run')
    cfg.custom_hooks.append(dict(type='mmdetxfer.FreezeHook', parts=['backbone']))
    train(cfg)
    assert record(tmp_path / 'run')['megapixels'] == 22 * 2 * 64 * 64 / 1e6


def test_padding_is_counted(data, tmp_path):
    """To multiples of 48 px an image of 64 is 96 wide and high."""
    train(counting_config(data, tmp_path / 'run', divisor=48))
    assert record(tmp_path / 'run')['megapixels'] == 22 * 2 * 96 * 96 / 1e6


def test_a_resumed_training_goes_on_counting(data, tmp_path):
    folder = tmp_path / 'run'
    train(counting_config(data, folder), kill=('train_iter', 15))
    assert not (folder / 'input_pixels.json').exists()
    train(counting_config(data, folder), resume='auto')
    assert record(folder)['megapixels'] == 22 * 2 * 64 * 64 / 1e6


def test_the_pixels_of_all_ranks_are_counted(data, tmp_path):
    """Two ranks of 11 images see 44 in two epochs, the last steps with one each."""
    cfg = counting_config(data, tmp_path / 'run')
    train(cfg, num_ranks=2)
    found = record(tmp_path / 'run')
    assert found == dict(megapixels=44 * 64 * 64 / 1e6, iterations=12)


def test_a_model_without_a_backbone_is_refused():
    class Runner:
        model = ToySum()

    with pytest.raises(UserError, match='with a backbone, got ToySum, which has none'):
        InputPixelsHook().before_train(Runner())
