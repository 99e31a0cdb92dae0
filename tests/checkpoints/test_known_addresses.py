"""The table of published weights says what the hosts' own configs say."""

import re
from collections import Counter, defaultdict
from fnmatch import fnmatchcase

import pytest
from host_configs import HOSTS, configs_folder
from mmengine.config import Config
from mmengine.runner.checkpoint import get_deprecated_model_names, get_external_models

from mmdetxfer.checkpoints.conventions import (
    NAMED_CONVENTIONS,
    InputConvention,
    convention_of_preprocessor,
)
from mmdetxfer.checkpoints.known_addresses import (
    KNOWN_ADDRESSES,
    convention_of_address,
)
from mmdetxfer.checkpoints.settle_convention import weights_named_in

ADDRESS = re.compile(r'[\'"]((?:[a-z-]+://)[^\'"]+)[\'"]')


def conventions_in(paths) -> dict[str, Counter]:
    """Count, for each address, the conventions of the configs that start from it."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for path in paths:
        cfg = _loaded(path)
        if cfg is not None and cfg.get('model'):
            stated = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
            for address in weights_named_in(cfg):
                counts[address][convention_of_preprocessor(stated or {})] += 1
    return counts


def host_config_files() -> list:
    """Return the 2,042 configs of the hosts that are no bases."""
    files = [p for host in HOSTS for p in sorted(configs_folder(host).rglob('*.py'))]
    return [path for path in files if '_base_' not in path.parts]


def configs_naming(addresses_each: int, configs_each: int) -> set:
    """Return a few configs for each pattern of the table, found by their text."""
    naming = defaultdict(list)
    for path in host_config_files():
        for address in set(ADDRESS.findall(path.read_text())):
            naming[address].append(path)
    chosen = set()
    for pattern in KNOWN_ADDRESSES:
        matching = [a for a in naming if fnmatchcase(a, pattern)]
        matching.sort(key=lambda address: -len(naming[address]))
        for address in matching[:addresses_each]:
            chosen.update(naming[address][:configs_each])
    return chosen


def _loaded(path):
    try:
        return Config.fromfile(path)
    except Exception:
        return None  # ten of the hosts' configs name bases that are not there


def differing(counts: dict[str, Counter]) -> list[str]:
    """Name the addresses whose majority says something else than the table."""
    wrong = []
    for address, stated in counts.items():
        known = convention_of_address(address)
        agreeing = sum(
            n for one, n in stated.items() if known and one and known.agrees_with(one)
        )
        if known is not None and agreeing * 2 <= stated.total():
            wrong.append(f'{address}: {known} in the table, {stated} in the configs')
    return wrong


def test_configs_that_name_a_known_address_agree_with_the_table():
    """Three configs for a pattern of the table; all of them in the slow test below."""
    counts = conventions_in(configs_naming(addresses_each=1, configs_each=3))
    known = [a for a in counts if convention_of_address(a) is not None]
    patterns = {p for p in KNOWN_ADDRESSES for a in known if fnmatchcase(a, p)}
    assert len(patterns) >= 22 and sum(counts[a].total() for a in known) >= 40
    assert differing(counts) == []


@pytest.mark.slow
def test_the_majority_of_all_configs_agrees_with_the_table():
    """Four minutes."""
    counts = conventions_in(host_config_files())
    assert sum(c.total() for c in counts.values()) > 1000
    assert differing(counts) == []
    published = [a for a in counts if '://' in a and not a.startswith('http')]
    unknown = {a for a in published if convention_of_address(a) is None}
    assert unknown == {'open-mmlab://resnest101', 'open-mmlab://resnest50'}
    unused = {p for p in KNOWN_ADDRESSES if not any(fnmatchcase(a, p) for a in counts)}
    assert unused == {
        'torchvision://efficientnet_v2_l*',
        'torchvision://vgg16.imagenet1k_features',
    }


def test_the_comparison_can_fail():
    """caffe weights in a config that reads them as torchvision's do."""
    address = 'open-mmlab://detectron2/resnet50_caffe'
    wrong = {address: Counter({NAMED_CONVENTIONS['torchvision']: 2})}
    assert differing(wrong)
    half = {address: Counter({NAMED_CONVENTIONS['torchvision']: 1, None: 1})}
    assert differing(half)
    right = {address: Counter({NAMED_CONVENTIONS['detectron2']: 2, None: 1})}
    assert not differing(right)


def test_torchvisions_weights_are_what_their_transforms_say():
    """Every set of weights that torchvision publishes for classification."""
    from torchvision import models

    num_weights = 0
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            transform = weights.transforms()
            stated = InputConvention(
                'rgb', tuple(transform.mean), tuple(transform.std), value_range=1
            )
            address = f'torchvision://{name}.{weights.name.lower()}'
            known = convention_of_address(address)
            if known is None:
                assert address == 'torchvision://vgg16.imagenet1k_features'
                same = NAMED_CONVENTIONS.values()
                assert not any(stated.agrees_with(one) for one in same)
            else:
                assert known.agrees_with(stated), address
            num_weights += 1
    assert num_weights > 100


def test_other_names_of_an_address_are_the_same_weights():
    assert convention_of_address('modelzoo://resnet50') is not None
    for name in ('openmmlab://regnetx_400mf', 'open-mmlab://regnetx_400mf'):
        assert convention_of_address(name) is NAMED_CONVENTIONS['pycls']


def test_renamed_models_have_the_convention_of_their_new_name():
    renamed = get_deprecated_model_names()
    assert renamed['resnet50_caffe'] == 'detectron/resnet50_caffe'
    for former, name in renamed.items():
        pair = [convention_of_address(f'open-mmlab://{n}') for n in (former, name)]
        assert pair[0] == pair[1]


@pytest.mark.parametrize(
    'address',
    [
        'open-mmlab://resnest50',
        'open-mmlab://detectron2/resnet50_caffe_bgr',
        'open-mmlab://bninception_caffe',
        'mmcls://mixer_base_16_224',
        'https://download.openmmlab.com/mmclassification/v0/resnet/x-01234567.pth',
        'work_dirs/torchvision://resnet50/epoch_1.pth',
        'epoch_12.pth',
        '',
    ],
)
def test_what_no_host_config_settles_is_not_known(address):
    assert convention_of_address(address) is None


def test_every_pattern_names_a_convention_and_matches_something():
    names = [f'open-mmlab://{name}' for name in get_external_models()]
    for pattern, convention in KNOWN_ADDRESSES.items():
        assert convention is None or convention in NAMED_CONVENTIONS
        if pattern.startswith('open-mmlab://'):
            assert any(fnmatchcase(name, pattern) for name in names), pattern
