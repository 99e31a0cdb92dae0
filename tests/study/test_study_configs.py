"""Every study config reads, and plans its cells without any data."""

import re
from pathlib import Path

import pytest
from mmengine.registry import DATASETS, DefaultScope

from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.datasets.sbd_labels import convert_sbd
from mmdetxfer.study.cells import PROBE, Machine
from mmdetxfer.study.fingerprint import UNKNOWN
from mmdetxfer.study.inputs import missing_inputs
from mmdetxfer.study.parts import parts_of
from mmdetxfer.study.plan import COVERS, planned
from mmdetxfer.study.published import published_tables
from mmdetxfer.study.reading import read_study, tried
from mmdetxfer.study.resolved import config_with, datasets_in
from mmdetxfer.worlds import classification_sets, sbd, voc

REPOSITORY = Path(__file__).resolve().parents[2]
STUDIES = sorted((REPOSITORY / 'configs' / 'studies').glob('*.py'))


@pytest.fixture(scope='module', params=STUDIES, ids=lambda path: path.stem)
def plan(request, tmp_path_factory):
    """A study's plan, made where there is no data."""
    folder = tmp_path_factory.mktemp('empty')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        study = read_study(request.param)
        yield planned(study, Machine(cells=folder / 'work_dirs' / 'cells'))


def test_a_study_plans_without_data(plan):
    assert {use.role for use in plan.uses} >= {'pretrain', 'final'}
    for cell in plan.cells.values():
        absent = set(cell.content['data']) - _present(cell)
        assert all(one.startswith(UNKNOWN) for one in absent)
        # What is needed comes before what needs it.
        keys = list(plan.cells)
        assert all(keys.index(need) < keys.index(cell.key) for need in cell.needs)


def _present(cell) -> set[str]:
    """Return fingerprints of data that this checkout has by chance."""
    return {one for one in cell.content['data'] if len(one) == 64}


def test_every_cell_has_a_config_that_can_train(plan):
    for cell in plan.cells.values():
        cfg = config_with(cell.spec['config'], cell.spec['options'])
        assert {'model', 'train_dataloader', 'train_cfg', 'optim_wrapper'} <= cfg.keys()
        assert cfg.default_scope in ('mmdet', 'mmseg', 'mmpretrain')
    assert set(missing_inputs(plan)) <= set(plan.cells)


def test_every_candidate_has_as_many_trials_as_another(plan):
    study = plan.study
    for target in study.targets.values():
        counts = {len(tried(study, name, target)) for name in study.candidates}
        assert len(counts) == 1


def test_parts_and_paper_are_known(plan):
    assert parts_of(plan.study)
    if plan.study.paper:
        assert any(
            name.startswith(plan.study.paper + '/') for name in published_tables()
        )


def test_a_protocol_covers_what_the_configs_of_its_cells_name(plan):
    """Each of our types is of a package whose change is a reason to raise a number."""
    for cell in plan.cells.values():
        cfg = config_with(cell.spec['config'], cell.spec['options'])
        # Of a probed network's config the model alone is built.
        used = cfg.model if cell.kind == PROBE else cfg
        for name in set(re.findall(r"'mmdetxfer\.(\w+)'", str(used.to_dict()))):
            assert PACKAGES[name] in COVERS[cell.kind], (name, cell.kind)


def _packages() -> dict[str, str]:
    """Return the package of ours that each class is of."""
    found = {}
    for path in (REPOSITORY / 'mmdetxfer').rglob('*.py'):
        package = path.relative_to(REPOSITORY / 'mmdetxfer').parts[0]
        for name in re.findall(r'^class (\w+)', path.read_text(), re.MULTILINE):
            found[name] = package.removesuffix('.py')
    return found


PACKAGES = _packages()


def test_scratch_begins_without_weights(plan):
    """Where no stage is before a transfer, no file is in its config."""
    for use in plan.used('final'):
        candidate = plan.study.candidates[use.candidate]
        if not candidate.stages and not candidate.as_configured:
            spec = plan.cells[use.key].spec
            cfg = config_with(spec['config'], spec['options'])
            assert list(weights_named_in(cfg)) == []
            # Nor does it wait for weights that do not come.
            hooks = [one['type'] for one in cfg.get('custom_hooks', [])]
            assert 'mmdetxfer.TransferHook' not in hooks


def test_a_trial_is_scored_on_images_of_the_train_set_that_it_has_not_seen(plan):
    """Classification: both parts are of one split, whose size is what is expected.

    Detection and segmentation: the lists of images differ, and both belong to what a
    transfer learns from.
    """
    for use in plan.used('trial'):
        spec = plan.cells[use.key].spec
        cfg = config_with(spec['config'], spec['options'])
        tested = config_with(
            spec['config'], {**spec['options'], **spec['test']['options']}
        )
        whole = config_with(spec['config'], plan.study.targets[use.target].loaded)
        if spec['task'] == 'classification':
            learns = _with_part(cfg.train_dataloader.dataset)
            rest = _with_part(tested.test_dataloader.dataset)
            assert (learns.part, rest.part) == ('learn', 'held_out')
            split = whole.train_dataloader.dataset.dataset.split
            assert [one.dataset.get('split') for one in (learns, rest)] == [split] * 2
            assert learns.get('num_expected') == rest.get('num_expected')
        else:
            learns = set(_lists_in(cfg.train_dataloader.dataset))
            rest = set(_lists_in(tested.test_dataloader.dataset))
            assert learns and rest and not learns & rest


def test_a_longer_schedule_is_the_same_twice_as_long(plan):
    """Its length, and its steps to an epoch (two thirds of one are the paper's)."""
    for use in plan.used('final'):
        candidate = plan.study.candidates[use.candidate]
        if not candidate.is_longer:
            continue
        place = dict(target=use.target, seed=use.seed, share=use.share)
        (once,) = plan.used('final', candidate=candidate.tried_as, **place)
        lengths = []
        for key in (once.key, use.key):
            spec = plan.cells[key].spec
            lengths.append(_lengths(config_with(spec['config'], spec['options'])))
        (length, *steps), (long, *late) = lengths
        assert long == 2 * length
        assert late == pytest.approx([2 * step for step in steps], abs=0.7)


def _lengths(cfg):
    """Return how long a config trains, and where its rate falls."""
    (length,) = (
        cfg.train_cfg[k] for k in ('max_epochs', 'max_iters') if k in cfg.train_cfg
    )
    last = cfg.param_scheduler[-1]
    return [length, *(last.get('milestones') or [last['T_max']])]


def _with_part(dataset):
    return next(one for one in datasets_in(dataset) if one.get('part'))


def _lists_in(dataset):
    return [one['ann_file'] for one in datasets_in(dataset) if one.get('ann_file')]


@pytest.fixture(scope='module')
def targets():
    """The twin's targets; what they learn from and choose by is on drawn images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        yield read_study('configs/studies/embedded_li2019.py').targets


def _images(target, options, loader, adjust):
    """Return the images of a loader of a target's config, at a place of a test."""
    cfg = config_with(target.config, {**target.loaded, **options})
    adjust(cfg[loader].dataset)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        data = DATASETS.build(cfg[loader].dataset)
    return {data.get_data_info(k)['img_path'] for k in range(len(data))}


def _is_a_partition(target, adjust):
    """Whether part and rest are apart, together the train set, and not of the test."""
    part = _images(target, target.part, 'train_dataloader', adjust)
    rest = _images(target, target.rest, 'test_dataloader', adjust)
    whole = _images(target, {}, 'train_dataloader', adjust)
    test = _images(target, {}, 'test_dataloader', adjust)
    is_split = part and rest and not part & rest and part | rest == whole
    return is_split and not whole & test


@pytest.mark.parametrize('name', ['caltech256', 'sun397', 'flowers102'])
def test_a_classifiers_part_and_rest_are_apart_and_together_the_whole(
    targets, tmp_path, name
):
    """Three to five images of a class of each target, of which one is held out."""
    write, sizes = {
        'caltech256': (classification_sets.write_caltech256, {'all': 50}),
        'sun397': (classification_sets.write_sun397, {'train': 48, 'test': 16}),
        'flowers102': (
            classification_sets.write_flowers102,
            {'train': 20, 'val': 20, 'test': 10},
        ),
    }[name]
    write(tmp_path / 'data', sizes, 0)

    def adjust(settings):
        inner = settings.dataset
        inner.data_root = str(tmp_path / 'data')
        if name == 'caltech256':
            inner.data_root += '/256_ObjectCategories'
            inner.num_train, inner.lists_dir = 4, str(tmp_path / 'lists')

    assert _is_a_partition(targets[name], adjust)


def test_a_segmentors_part_and_rest_are_apart_and_together_the_whole(targets, tmp_path):
    """VOC's own images, and SBD's others."""
    devkit = tmp_path / 'VOCdevkit'
    voc.write_voc2012(devkit / 'VOC2012', {'train': 5, 'val': 3}, 0)
    sbd.write(devkit / 'VOCaug', {'train': 5, 'val': 3}, 0)
    convert_sbd(devkit / 'VOC2012', devkit / 'VOCaug')

    def adjust(settings):
        for one in (settings, *settings.get('datasets', ())):
            if 'data_root' in one:
                one.data_root = str(devkit / 'VOC2012')

    assert _is_a_partition(targets['voc12'], adjust)


def test_a_users_own_study_needs_few_changes():
    lines = (REPOSITORY / 'configs/studies/my_data.py').read_text().splitlines()
    assert 5 <= sum(line.endswith('# yours') for line in lines) < 20
