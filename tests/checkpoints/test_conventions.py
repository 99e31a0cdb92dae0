"""Input conventions: what is one, when two agree, what a host's preprocessor says."""

import numpy as np
import pytest
import torch
from mmengine.model import ImgDataPreprocessor

from mmdetxfer.checkpoints.conventions import (
    NAMED_CONVENTIONS,
    InputConvention,
    convention_of_preprocessor,
    parse_convention,
)
from mmdetxfer.errors import UserError

RGB = {'channel_order': 'rgb', 'mean': [1, 2, 3], 'std': [4, 5, 6]}


def test_names_and_dicts_are_conventions():
    assert parse_convention('caffe') is NAMED_CONVENTIONS['caffe']
    found = parse_convention({**RGB, 'value_range': 1, 'size_px': 224})
    assert found.mean == (1.0, 2.0, 3.0) and found.value_range == 1.0
    assert found.size_px == 224
    assert parse_convention(found) is found


@pytest.mark.parametrize('name', NAMED_CONVENTIONS)
def test_plain_data_come_back_as_the_same_convention(name):
    convention = NAMED_CONVENTIONS[name]
    assert parse_convention(convention.to_dict()) == convention
    assert type(convention.to_dict()['mean']) is list


WRONG = [
    ({**RGB, 'channel_order': 'gbr'}, "channel_order should be 'rgb' or 'bgr'"),
    ({**RGB, 'channel_order': None}, 'channel_order should be'),
    ({**RGB, 'mean': [1, 2]}, 'mean should be 3 numbers'),
    ({**RGB, 'mean': '123'}, 'mean should be 3 numbers'),
    ({**RGB, 'mean': [1, 2, '3']}, 'mean should be 3 numbers'),
    ({**RGB, 'mean': [1, 2, float('nan')]}, 'mean should be 3 numbers'),
    ({**RGB, 'mean': [True, 2, 3]}, 'mean should be 3 numbers'),
    ({**RGB, 'mean': torch.ones(3)}, 'mean should be 3 numbers'),
    ({**RGB, 'std': None}, 'std should be 3 numbers'),
    ({**RGB, 'std': [1, 0, 1]}, 'std should be 3 numbers above 0'),
    ({**RGB, 'std': [1, -1, 1]}, 'std should be 3 numbers above 0'),
    ({**RGB, 'value_range': 2}, 'value_range should be 1 or 255'),
    ({**RGB, 'value_range': True}, 'value_range should be 1 or 255'),
    ({**RGB, 'value_range': torch.ones(2)}, 'value_range should be 1 or 255'),
    ({**RGB, 'size_px': 0}, 'size_px should be None or pixels'),
    ({**RGB, 'size_px': 224.0}, 'size_px should be None or pixels'),
    ({**RGB, 'scale': 2}, 'expected one of .*caffe.*or a dict'),
    ({'mean': [1, 2, 3]}, 'expected one of'),
    ('torchvsion', "expected one of .*it is 'torchvsion'"),
    (3, 'expected one of'),
    ('x' * 1_000_000, 'expected one of'),
]


@pytest.mark.parametrize('stated, match', WRONG, ids=[m for _, m in WRONG])
def test_what_is_no_convention_is_named(stated, match):
    with pytest.raises(UserError, match=match) as caught:
        parse_convention(stated)
    assert len(str(caught.value)) < 600 and '\n' not in str(caught.value)


def test_a_range_of_1_agrees_with_the_same_numbers_in_255():
    """0.485 * 255 = 123.675, 0.229 * 255 = 58.395, and so on."""
    unit = InputConvention('rgb', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1)
    assert unit.agrees_with(NAMED_CONVENTIONS['torchvision'])
    assert unit.mean_255 == pytest.approx([123.675, 116.28, 103.53])
    assert unit.std_255 == pytest.approx([58.395, 57.12, 57.375])
    half = NAMED_CONVENTIONS['timm_half']
    assert half.mean_255 == half.std_255 == [127.5] * 3


def test_a_range_of_255_with_the_numbers_of_a_range_of_1_does_not_agree():
    unit = InputConvention('rgb', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1)
    forgot = InputConvention('rgb', unit.mean, unit.std)
    assert not unit.agrees_with(forgot)


def test_the_named_conventions_are_all_different():
    for name, one in NAMED_CONVENTIONS.items():
        same = [n for n, other in NAMED_CONVENTIONS.items() if one.agrees_with(other)]
        assert same == [name]


def test_the_order_of_the_channels_counts_even_where_the_numbers_are_equal():
    rgb = InputConvention('rgb', (0.5,) * 3, (0.5,) * 3, 1)
    bgr = InputConvention('bgr', (0.5,) * 3, (0.5,) * 3, 1)
    assert not rgb.agrees_with(bgr)


def test_a_thousandth_of_a_grey_level_is_the_same():
    one = InputConvention('rgb', (100, 100, 100), (50, 50, 50))
    near = InputConvention('rgb', (100.0009, 100, 100), (50, 50, 49.9991))
    far = InputConvention('rgb', (100.002, 100, 100), (50, 50, 50))
    assert one.agrees_with(near) and not one.agrees_with(far)


def test_the_size_is_not_compared():
    large = InputConvention('rgb', (1, 2, 3), (1, 1, 1), size_px=448)
    small = InputConvention('rgb', (1, 2, 3), (1, 1, 1), size_px=224)
    assert large.agrees_with(small)


def test_a_convention_fits_a_line():
    text = str(NAMED_CONVENTIONS['torchvision'])
    assert text == (
        'RGB mean 123.675/116.28/103.53 std 58.395/57.12/57.375 (range 0..255)'
    )


@pytest.mark.parametrize('word', ['bgr_to_rgb', 'to_rgb', 'rgb_to_bgr'])
def test_each_hosts_word_for_a_swap_is_understood(word):
    """The pixels come as BGR and are swapped, whatever the word says."""
    found = convention_of_preprocessor({**numbers(), word: True})
    assert found.channel_order == 'rgb' and found.mean == (1, 2, 3)
    found = convention_of_preprocessor({**numbers(), word: False})
    assert found.channel_order == 'bgr'


def numbers() -> dict:
    return {'mean': [1, 2, 3], 'std': [4, 5, 6]}


def test_without_mean_and_std_nothing_is_normalised():
    found = convention_of_preprocessor({'pad_size_divisor': 32})
    assert (found.mean, found.std) == ((0, 0, 0), (1, 1, 1))
    assert found.channel_order == 'bgr'


def test_the_preprocessor_inside_a_multi_branch_one_counts():
    """mmdet's semi-supervised detectors wrap it."""
    inner = {**numbers(), 'bgr_to_rgb': True}
    outer = {'type': 'MultiBranchDataPreprocessor', 'data_preprocessor': inner}
    assert convention_of_preprocessor(outer) == convention_of_preprocessor(inner)


@pytest.mark.parametrize(
    'mean, std',
    [
        ([1], [1]),
        ([1] * 7, [1] * 7),
        ([1, 2, 'x'], [1] * 3),
        ([1] * 3, [0] * 3),
        (5, 5),
    ],
)
def test_inputs_of_another_kind_have_no_convention(mean, std):
    assert convention_of_preprocessor({'mean': mean, 'std': std}) is None


@pytest.mark.parametrize('name', NAMED_CONVENTIONS)
def test_a_convention_means_what_mmengines_preprocessor_does_with_it(name):
    """The network's input computed by hand from one BGR pixel."""
    convention = NAMED_CONVENTIONS[name]
    pixel_bgr = np.array([10.0, 100.0, 250.0])
    pixel = pixel_bgr[::-1] if convention.channel_order == 'rgb' else pixel_bgr
    scaled = pixel / 255.0 * convention.value_range
    wanted = (scaled - convention.mean) / convention.std
    preprocessor = ImgDataPreprocessor(
        mean=convention.mean_255,
        std=convention.std_255,
        bgr_to_rgb=convention.channel_order == 'rgb',
    )
    image = torch.tensor(pixel_bgr, dtype=torch.uint8).view(3, 1, 1)
    found = preprocessor({'inputs': [image]})['inputs'].flatten()
    assert found.numpy() == pytest.approx(wanted, abs=1e-4)
