"""Every study config reads, and plans its cells without any data."""

import re
from pathlib import Path

import pytest

from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.study.cells import PROBE, Machine
from mmdetxfer.study.fingerprint import UNKNOWN
from mmdetxfer.study.inputs import missing_inputs
from mmdetxfer.study.parts import parts_of
from mmdetxfer.study.plan import COVERS, planned
from mmdetxfer.study.published import published_tables
from mmdetxfer.study.reading import read_study, tried
from mmdetxfer.study.resolved import config_with, datasets_in

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


def _with_part(dataset):
    return next(one for one in datasets_in(dataset) if one.get('part'))


def _lists_in(dataset):
    return [one['ann_file'] for one in datasets_in(dataset) if one.get('ann_file')]


def test_a_users_own_study_needs_few_changes():
    lines = (REPOSITORY / 'configs/studies/my_data.py').read_text().splitlines()
    assert 5 <= sum(line.endswith('# yours') for line in lines) < 20
