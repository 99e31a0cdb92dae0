"""What a study config may say, and how a wrong one is refused."""

import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.study.reading import read_study, tried

STUDY = """
question = 'which?'
baseline = 'a'
candidates = dict(
    a=dict(),
    b=dict(stages=[dict(file='b.pth')], tried_as='a'),
)
targets = dict(
    t=dict(
        task='detection',
        config='t.py',
        settings=[dict(lr=1), dict(lr=2)],
        part=dict(p=1),
        rest=dict(r=1),
    )
)
"""


def read(tmp_path, text=STUDY, **options):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return read_study(path, options)


def test_a_study_is_named_after_its_file_and_has_defaults(tmp_path):
    study = read(tmp_path)
    assert study.name == 'mine' and study.seeds == (0,)
    assert study.target_fractions == (1.0,) and study.threads == 1
    assert study.candidates['b'].stages[0].file == 'b.pth'
    assert read(tmp_path, seeds=[3, 4]).seeds == (3, 4)


@pytest.mark.parametrize(
    'name', ['cls-det', 'Loc(Cls)', 'OpenImages, a tenth', 'ResNet-50', '2x', 'v1.5']
)
def test_names_may_have_words_and_signs(tmp_path, name):
    text = STUDY.replace('a=dict()', f'a=dict(), **{{{name!r}: dict()}}')
    assert name in read(tmp_path, text).candidates


def test_settings_are_those_of_the_target_or_those_that_were_chosen(tmp_path):
    study = read(tmp_path)
    target = study.targets['t']
    assert tried(study, 'a', target) == ({'lr': 1}, {'lr': 2})
    options = {'targets.t.chosen': {'a': {'lr': 7}}}
    study = read(tmp_path, **options)
    # b takes the choice of a.
    for name in 'ab':
        assert tried(study, name, study.targets['t']) == [{'lr': 7}]
    study = read(tmp_path, **{'targets.t.chosen': {'all': {'lr': 8}}})
    assert tried(study, 'b', study.targets['t']) == [{'lr': 8}]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'candidates': {'a': {}, '_delete_': True}}, 'two candidates or more, got a'),
        ({'baseline': 'c'}, "a baseline among a, b, got 'c'"),
        ({'targets': {'_delete_': True}}, 'targets or probes, got neither'),
        ({'seeds': [1, 1]}, 'different seeds, one or more'),
        ({'seeds': []}, 'different seeds, one or more'),
        ({'target_fractions': [0.0]}, 'target_fractions above 0'),
        ({'threads': 0}, '1 thread or more, got 0'),
        ({'budget': dict(lunch=60)}, 'probe, report, got lunch'),
        ({'resamples': 1}, '2 resamples or more, got 1'),
        ({'candidates.a.stages': [{}]}, 'a config or a file for each stage'),
        (
            {'candidates.a.stages': [{'config': 'c.py'}, {'file': 'f.pth'}]},
            'a file from outside as the first stage alone',
        ),
        (
            {'candidates.a.stages': [{'config': 'c.py', 'share': 0}]},
            'a share above 0 and up to 1, got 0',
        ),
        (
            {'candidates.b.as_configured': True},
            'stages, or as_configured for the weights',
        ),
        ({'candidates.b.tried_as': 'c'}, "tried_as one of a, b, got 'c'"),
        ({'candidates.a.configs': {'x': 'x.py'}}, 'targets among t, got x'),
        ({'candidates.a.options': {'x': {}}}, 'targets among t, got x'),
        ({'targets.t.task': 'guessing'}, 'a task among detection, segmentation'),
        ({'targets.t.settings': []}, 'a setting or more, got none'),
        ({'targets.t.part': {'_delete_': True}}, 'never on the test set'),
        (
            {'targets.t.longer': {'lr': 3}},
            'longer without what its settings name, got',
        ),
        (
            {
                'candidates.b': {'is_longer': True, 'tried_as': 'a'},
                'targets.t.longer': {'x': 4, 'y': 2},
                'targets.t.fractions': {0.1: {'x': 3}},
            },
            "'longer' of its own in each of fractions that names what longer names",
        ),
        ({'targets.t.part': {'lr': 3}}, 'part without what its settings name, got lr'),
        ({'targets.t.rest': {'lr': 3}}, 'rest without what its settings name, got lr'),
        (
            {
                'targets.t.fractions': {0.1: {'rate': 1}},
                'targets.t.chosen': {'all': {'rate': 2}},
            },
            'fractions without what its settings name, got rate',
        ),
        ({'targets.t.chosen': {'c': {}}}, 'chosen settings for a, b or all, got c'),
        ({'candidates.resnet 50': {}}, 'no word of them a number (resnet-50'),
        ({'candidates.50': {}}, "got '50'"),
        ({'candidates.a/b': {}}, "got 'a/b'"),
        ({'surprise': 1}, 'expected a study as in configs/studies/my_data.py'),
        ({'targets.t.surprise': 1}, 'expected a study as in'),
        ({'candidates.a.surprise': 1}, 'expected a study as in'),
    ],
)
def test_a_wrong_study_is_refused_in_one_line(tmp_path, options, message):
    with pytest.raises(UserError, match='mine.py: ') as caught:
        read(tmp_path, **options)
    assert message in str(caught.value) and '\n' not in str(caught.value)


def test_a_study_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match='study not found: expected a config file at'):
        read_study(tmp_path / 'none.py')
