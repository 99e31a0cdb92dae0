"""Cells and their keys: what is shared, what changes a key, and what does not."""

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import mmdetxfer
from mmdetxfer.errors import UserError
from mmdetxfer.study import resolved, versions
from mmdetxfer.study.cells import Machine, named_cell
from mmdetxfer.study.fingerprint import UNKNOWN
from mmdetxfer.study.inputs import missing_inputs
from mmdetxfer.study.plan import COVERS, PROTOCOLS, planned
from mmdetxfer.study.reading import Candidate, Stage, Study, Target

CONFIG = """
default_scope = 'mmdet'
model = dict(type='Anything')
optim_wrapper = dict(optimizer=dict(lr=0.1))
train_cfg = dict(max_epochs=NUMBER)
train_dataloader = dict(
    num_workers=2,
    dataset=dict(type='VOCDataset', data_root='ROOT', ann_file='train.txt'),
)
"""
RATE = 'optim_wrapper.optimizer.lr'


@pytest.fixture
def configs(tmp_path):
    """Configs of two pre-trainings and a target, which differ in a number."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'train.txt').write_text('a')
    found = []
    for number, name in enumerate(('cls', 'det', 'voc'), 1):
        path = tmp_path / f'{name}.py'
        text = CONFIG.replace('NUMBER', str(number))
        path.write_text(text.replace('ROOT', str(tmp_path / 'data')))
        found.append(str(path))
    return found


def forget_configs():
    """Let changed files be read again."""
    resolved._read.cache_clear()
    resolved._known.clear()
    resolved._forms.clear()


def study_of(configs, **changes):
    cls, det, voc = configs
    stage = Stage(config=cls)
    candidates = {
        'scratch': Candidate(network=cls),
        'cls': Candidate(stages=(stage,)),
        'cls-det': Candidate(stages=(stage, Stage(config=det))),
    }
    target = Target(
        'detection', voc, part=dict(log_level='a'), rest=dict(log_level='b')
    )
    study = Study('s', 'which?', candidates, dict(t=target), 'cls')
    return replace(study, **changes)


def plan_of(study, tmp_path, **machine):
    return planned(study, Machine(cells=tmp_path / 'w' / 'cells', **machine))


def with_target(study, **changes):
    target = replace(study.targets['t'], **changes)
    return replace(study, targets=dict(t=target))


def with_trials(study):
    return with_target(study, settings=({RATE: 0.1}, {RATE: 0.2}))


def test_candidates_share_a_stage_and_a_chain_needs_it(configs, tmp_path):
    """Two pre-trainings, not three; three transfers."""
    plan = plan_of(study_of(configs), tmp_path)
    (first,) = plan.used('pretrain', candidate='cls')
    chain = list(plan.used('pretrain', candidate='cls-det'))
    assert [use.stage for use in chain] == [0, 1] and chain[0].key == first.key
    assert plan.cells[chain[1].key].needs == (first.key,)
    needs = {use.candidate: plan.cells[use.key].needs for use in plan.used('final')}
    assert needs == {'scratch': (), 'cls': (first.key,), 'cls-det': (chain[1].key,)}
    assert len(plan.cells) == 5
    assert plan.words(first.key) == 'pretrain cls stage 1 seed 0 and 1 more'


def test_a_seed_runs_through_the_whole_chain(configs, tmp_path):
    plan = plan_of(study_of(configs, seeds=(0, 7)), tmp_path)
    (final,) = plan.used('final', candidate='cls', seed=7)
    (need,) = plan.cells[final.key].needs
    assert plan.cells[need].spec['seed'] == plan.cells[final.key].spec['seed'] == 7
    assert len(plan.cells) == 10


def test_trials_are_of_the_first_seed_and_serve_all(configs, tmp_path):
    """Two settings of three candidates with seed 3; finals of both seeds need them."""
    plan = plan_of(with_trials(study_of(configs, seeds=(3, 4))), tmp_path)
    trials = list(plan.used('trial'))
    assert len(trials) == 6 and {use.seed for use in trials} == {3}
    own = {use.key for use in trials if use.candidate == 'cls'}
    for seed in (3, 4):
        (final,) = plan.used('final', candidate='cls', seed=seed)
        assert own < set(plan.cells[final.key].needs)
    trial = plan.cells[trials[0].key].spec
    assert trial['options']['log_level'] == 'a'
    assert trial['test']['options'] == {'log_level': 'b'}
    (final,) = plan.used('final', candidate='cls', seed=3)
    spec = plan.cells[final.key].spec
    assert RATE not in spec['options'] and spec['test']['options'] == {}
    assert [one['options'][RATE] for one in spec['choices']] == [0.1, 0.2]
    assert spec['choosing'] == ['AP50', 'AP70']


def test_a_longer_schedule_takes_the_choice_of_the_shorter(configs, tmp_path):
    study = with_trials(study_of(configs))
    study = with_target(study, longer={'train_cfg.max_epochs': 9})
    longer = Candidate(is_longer=True, tried_as='scratch')
    study = replace(study, candidates={**study.candidates, 'longer': longer})
    plan = plan_of(study, tmp_path)
    finals = {use.candidate: plan.cells[use.key] for use in plan.used('final')}
    assert finals['longer'].needs == finals['scratch'].needs
    assert finals['longer'].spec['options']['train_cfg.max_epochs'] == 9
    assert not list(plan.used('trial', candidate='longer'))


def keys_of(study, tmp_path, **machine):
    plan = plan_of(study, tmp_path, **machine)
    return {(use.role, use.candidate, use.stage): use.key for use in plan.uses}


def test_a_stage_changes_the_keys_of_what_comes_after_it(configs, tmp_path):
    study = study_of(configs)
    before = keys_of(study, tmp_path)
    stage = Stage(config=configs[1], options={RATE: 0.5})
    chain = Candidate(stages=(*study.candidates['cls'].stages, stage))
    changed = replace(study, candidates={**study.candidates, 'cls-det': chain})
    after = keys_of(changed, tmp_path)
    different = {use for use in before if before[use] != after[use]}
    assert different == {('pretrain', 'cls-det', 1), ('final', 'cls-det', None)}


@pytest.mark.parametrize(
    'options',
    [{'train_dataloader.num_workers': 0}, {'work_dir': 'x'}, {'log_level': 'ERROR'}],
)
def test_workers_places_and_logs_change_no_key(configs, tmp_path, options):
    study = study_of(configs)
    changed = replace(study, options=options)
    assert keys_of(changed, tmp_path) == keys_of(study, tmp_path)


@pytest.mark.parametrize(
    'machine', [dict(device='cuda'), dict(world_size=2)], ids=['device', 'ranks']
)
def test_the_kind_of_machine_changes_every_key(configs, tmp_path, machine):
    study = study_of(configs)
    one, other = keys_of(study, tmp_path), keys_of(study, tmp_path, **machine)
    assert not set(one.values()) & set(other.values())
    threads = keys_of(replace(study, threads=2), tmp_path)
    assert not set(one.values()) & set(threads.values())


def test_changed_annotations_and_versions_change_every_key(
    configs, tmp_path, monkeypatch
):
    study = study_of(configs)
    one = keys_of(study, tmp_path)
    (tmp_path / 'data' / 'train.txt').write_text('b')
    other = keys_of(study, tmp_path)
    assert not set(one.values()) & set(other.values())
    monkeypatch.setattr(versions, 'versions', lambda: dict(torch='9'))
    third = keys_of(study, tmp_path)
    assert not set(other.values()) & set(third.values())


def test_a_protocol_number_changes_its_kind_and_what_needs_it(
    configs, tmp_path, monkeypatch
):
    study = study_of(configs)
    before = keys_of(study, tmp_path)
    monkeypatch.setitem(PROTOCOLS, 'transfer', 99)
    after = keys_of(study, tmp_path)
    for use in before:
        assert (before[use] != after[use]) == (use[0] == 'final')


def test_a_protocol_covers_all_that_its_cells_run():
    """Every package of ours that the work of cells imports is in some kind's list."""
    root = Path(mmdetxfer.__file__).parent
    imported = set()
    for name in ('work', 'scores', 'probe_cell'):
        tree = ast.parse((root / 'study' / f'{name}.py').read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split('.')
                if parts[0] == 'mmdetxfer' and len(parts) > 1:
                    imported.add(parts[1])
    # These change no number: errors, small files, the study's own book-keeping.
    imported -= {'errors', 'text_files', 'study'}
    covered = set().union(*COVERS.values())
    assert imported <= covered and COVERS.keys() == PROTOCOLS.keys()
    for name in covered:
        assert (root / name).is_dir() or (root / f'{name}.py').is_file(), name


def test_a_file_from_outside_counts_by_its_content(configs, tmp_path):
    file = tmp_path / 'w.pth'
    candidate = Candidate(stages=(Stage(file=str(file)),), input_convention='caffe')
    study = study_of(configs)
    study = replace(study, candidates={**study.candidates, 'mine': candidate})

    def key():
        return keys_of(study, tmp_path)['final', 'mine', None]

    plan = plan_of(study, tmp_path)
    (use,) = plan.used('final', candidate='mine')
    assert plan.cells[use.key].content['begins'] == f'{UNKNOWN}: {file}'
    assert missing_inputs(plan) == {use.key: [str(file)]}
    spec = plan.cells[use.key].spec
    assert spec['begins'] == dict(file=str(file), input_convention='caffe')
    absent = key()
    file.write_bytes(b'1')
    one = key()
    file.write_bytes(b'2')
    assert len({absent, one, key()}) == 3


def test_moved_data_are_the_same_cells(configs, tmp_path):
    """By another name at another place, and a config that says so."""
    before = set(plan_of(study_of(configs), tmp_path).cells)
    (tmp_path / 'data').rename(tmp_path / 'moved')
    for path in configs:
        text = Path(path).read_text()
        Path(path).write_text(text.replace(f'{tmp_path}/data', f'{tmp_path}/moved'))
    forget_configs()
    assert set(plan_of(study_of(configs), tmp_path).cells) == before


def test_timm_counts_where_a_backbone_is_of_it(configs, tmp_path, monkeypatch):
    def keys():
        plan = plan_of(study_of(configs), tmp_path)
        return {use.candidate: use.key for use in plan.used('final')}

    text = "model = dict(inner=[dict(backbone=dict(type='mmpretrain.TIMMBackbone'))])\n"
    with open(configs[1], 'a') as config:
        config.write(text)
    forget_configs()
    before = keys()
    monkeypatch.setattr(versions, '_version', lambda name: f'another {name}')
    after = keys()
    # That of torch and the hosts is kept.
    assert before['cls'] == after['cls'] and before['cls-det'] != after['cls-det']


def test_two_sets_that_are_not_there_are_two(configs, tmp_path):
    study = study_of(configs)
    options = {'train_dataloader.dataset.data_root': 'another'}
    other = replace(study.targets['t'], scratch=options, loaded=options)
    study = replace(study, targets=dict(t=study.targets['t'], u=other))
    (tmp_path / 'data').rename(tmp_path / 'gone')
    plan = plan_of(study, tmp_path)
    one, two = (use.key for use in plan.used('final', candidate='cls'))
    assert one != two and missing_inputs(plan)[two] == ['another']


def test_weights_that_timm_knows_are_not_missing(configs, tmp_path):
    options = {'model.backbone': dict(type='TIMMBackbone', pretrained=True)}
    study = study_of(configs, options=options)
    candidates = {**study.candidates, 'scratch': Candidate(as_configured=True)}
    study = replace(study, candidates=candidates)
    assert missing_inputs(plan_of(study, tmp_path)) == {}


def test_all_that_is_missing_is_named(configs, tmp_path):
    """Data of the rest and of probes, and weights that a config begins with."""
    probed = tmp_path / 'probed.py'
    probed.write_text(Path(configs[0]).read_text().replace('/data', '/of_probes'))
    rest = {'train_dataloader.dataset.data_root': 'of_the_rest'}
    study = with_target(with_trials(study_of(configs)), rest=rest)
    weights = {'model.init_cfg': dict(type='Pretrained', checkpoint='none.pth')}
    study = with_target(study, loaded=weights)
    probes = dict(targets=dict(p=dict(config=str(probed))), layers=['Conv5:1'])
    plan = plan_of(replace(study, probes=probes), tmp_path)
    missing = missing_inputs(plan)
    found = {use.role: missing.get(use.key, []) for use in plan.uses}
    assert found['pretrain'] == []
    assert found['trial'] == ['of_the_rest', 'none.pth']
    assert found['final'] == ['none.pth']
    assert found['probe'] == [str(tmp_path / 'of_probes')]


def test_missing_data_are_named(configs, tmp_path):
    (tmp_path / 'data').rename(tmp_path / 'gone')
    plan = plan_of(study_of(configs), tmp_path)
    assert missing_inputs(plan).keys() == plan.cells.keys()
    root = tmp_path / 'data'
    content = plan.cells[next(iter(plan.cells))].content
    assert content['data'] == [f'{UNKNOWN}: {root}']


def test_how_a_candidate_begins_decides_its_options(configs, tmp_path):
    study = with_target(
        study_of(configs), scratch=dict(a=1, load_from=None), loaded=dict(b=2)
    )
    ready = Candidate(as_configured=True)
    study = replace(study, candidates={**study.candidates, 'ready': ready})
    plan = plan_of(study, tmp_path)
    options = {
        use.candidate: plan.cells[use.key].spec['options'] for use in plan.used('final')
    }
    assert options == {
        'scratch': dict(a=1, load_from=None),
        'cls': dict(b=2),
        'cls-det': dict(b=2),
        'ready': dict(load_from=None),
    }


def test_a_candidate_has_options_and_a_config_of_its_own(configs, tmp_path):
    """Which are nearer than what the target says of all that begin with weights."""
    study = with_target(study_of(configs), loaded=dict(c=1))
    own = replace(
        study.candidates['cls'], configs=dict(t=configs[1]), options=dict(t=dict(c=3))
    )
    study = replace(study, candidates={**study.candidates, 'cls': own})
    plan = plan_of(study, tmp_path)
    (use,) = plan.used('final', candidate='cls')
    spec = plan.cells[use.key].spec
    assert (spec['config'], spec['options']) == (configs[1], dict(c=3))


def test_a_longer_schedule_of_a_share_is_its_own(configs, tmp_path):
    """Half of the images for 6 epochs, or 12; all of them for 3, or 5."""
    key, study = 'train_cfg.max_epochs', study_of(configs)
    longer = Candidate(network=configs[0], is_longer=True, tried_as='scratch')
    study = replace(study, candidates={**study.candidates, 'longer': longer})
    study = with_target(
        study,
        loaded={key: 3},
        scratch={key: 3},
        longer={key: 5},
        fractions={0.5: {key: 6, 'longer': {key: 12}}},
    )
    plan = plan_of(replace(study, target_fractions=(0.5, 1.0)), tmp_path)
    for name, share, epochs in (
        ('scratch', 0.5, 6),
        ('scratch', 1.0, 3),
        ('longer', 0.5, 12),
        ('longer', 1.0, 5),
    ):
        (use,) = plan.used('final', candidate=name, share=share)
        options = plan.cells[use.key].spec['options']
        assert options[key] == epochs and 'longer' not in options


def test_shares_of_the_target_have_cells_and_options_of_their_own(configs, tmp_path):
    study = with_target(study_of(configs), fractions={0.5: {'train_cfg.max_epochs': 6}})
    plan = plan_of(replace(study, target_fractions=(0.5, 1.0)), tmp_path)
    (half,) = plan.used('final', candidate='cls', share=0.5)
    (whole,) = plan.used('final', candidate='cls', share=1.0)
    options = plan.cells[half.key].spec['options']
    assert options['train_cfg.max_epochs'] == 6
    assert options['train_dataloader.dataset']['fraction'] == 0.5
    assert plan.cells[whole.key].spec['options'] == {}
    assert 'with 0.5 of its images' in half.words


def test_a_share_of_a_pre_training_is_a_cell_of_its_own(configs, tmp_path):
    study = study_of(configs)
    part = Candidate(stages=(Stage(config=configs[0], share=0.25),))
    study = replace(study, candidates={**study.candidates, 'part': part})
    plan = plan_of(study, tmp_path)
    (use,) = plan.used('pretrain', candidate='part')
    options = plan.cells[use.key].spec['options']
    assert options['train_dataloader.dataset']['fraction'] == 0.25


def test_only_what_a_part_asks_for_is_planned(configs, tmp_path):
    study = study_of(
        configs, probes=dict(targets=dict(t=dict(config=configs[2])), layers=['Conv5'])
    )
    machine = Machine(cells=tmp_path / 'cells')
    roles = {use.role for use in planned(study, machine).uses}
    assert roles == {'pretrain', 'final', 'probe'}
    few = planned(study, machine, tasks=(), has_probes=False)
    assert {use.role for use in few.uses} == {'pretrain'}


def test_a_cell_is_named_by_the_beginning_of_its_key(configs, tmp_path):
    plan = plan_of(study_of(configs), tmp_path)
    key = next(iter(plan.cells))
    assert named_cell(plan, key[:10]) == key
    for wrong in ('', 'zz'):
        with pytest.raises(UserError, match='the beginning of the key of one cell'):
            named_cell(plan, wrong)


def test_scratch_must_not_begin_with_weights_of_its_config(configs, tmp_path):
    """Nor its probe; what is taken away by the target's options is fine."""
    init = "dict(type='Pretrained', checkpoint='torchvision://resnet50')"
    text = Path(configs[2]).read_text()
    changed = text.replace("type='Anything'", f'backbone=dict(init_cfg={init})')
    Path(configs[2]).write_text(changed)
    forget_configs()
    study = study_of(configs)
    with pytest.raises(UserError, match='scratch on t: .* begins with torchvision://'):
        plan_of(study, tmp_path)
    scratch = {'load_from': None, 'model.backbone.init_cfg': None}
    assert plan_of(with_target(study, scratch=scratch), tmp_path).cells
    candidates = {**study.candidates, 'scratch': Candidate(as_configured=True)}
    assert plan_of(replace(study, candidates=candidates), tmp_path).cells
    candidates['scratch'] = Candidate(network=configs[2])
    probed = replace(
        study, candidates=candidates, targets={}, probes=dict(targets={}, layers=['a'])
    )
    with pytest.raises(UserError, match='probe of scratch: expected a config that'):
        plan_of(probed, tmp_path)


def test_data_without_a_root_are_in_the_key(configs, tmp_path):
    """A folder of images is; another one of the same images is the same cell."""
    keys = []
    for name, image in (('a', 'one.jpg'), ('b', 'one.jpg'), ('c', 'two.jpg')):
        folder = tmp_path / name
        folder.mkdir()
        (folder / image).write_text('')
        text = CONFIG.replace('NUMBER', '3')
        text = text.replace(
            "data_root='ROOT', ann_file='train.txt'", f"data_prefix='{folder}'"
        )
        Path(configs[2]).write_text(text)
        forget_configs()
        plan = plan_of(study_of(configs), tmp_path)
        (final,) = plan.used('final', candidate='cls')
        keys.append(final.key)
    assert keys[0] == keys[1] != keys[2]
    shutil.rmtree(tmp_path / 'c')
    plan = plan_of(study_of(configs), tmp_path)
    absent = {path for paths in missing_inputs(plan).values() for path in paths}
    assert absent == {str(tmp_path / 'c')}
