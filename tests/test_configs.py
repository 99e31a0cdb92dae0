"""Every config loads, says what it is for, and can be found by its name alone."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from modelindex.load_model_index import load as load_model_index

from mmdetxfer.probe_plan import read_plan

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = sorted((REPOSITORY / 'configs').rglob('*.py'))
# Parts in _base_ are inherited, never run: they state no command and no score.
RUNNABLE = [path for path in CONFIGS if '_base_' not in path.parts]
# Probes name configs; they are none of a training.
PROBES = [path for path in RUNNABLE if path.name.startswith('probes_')]
# So do studies (tests/study/test_study_configs.py).
STUDIES = [path for path in RUNNABLE if path.parent.name == 'studies']
TRAINED = [path for path in RUNNABLE if path not in (*PROBES, *STUDIES)]
HOSTS = ('mmdet', 'mmseg', 'mmpretrain')


def name(path: Path) -> str:
    return path.stem


@cache
def loaded(path: Path) -> Config:
    """Load a config once: it takes longer than what is asked of it."""
    return Config.fromfile(path)


def docstring_faults(text: str, path: str) -> Iterator[str]:
    """Yield what is missing in a config's header."""
    header = ast.get_docstring(ast.parse(text)) or ''
    # A long command goes on in the next line.
    header = re.sub(r'(?<!\n)\n(?!\n|\w+: )', ' ', header)
    if '?' not in header.split('\n\n')[0]:
        yield 'the docstring begins with no question'
    commands = re.findall(r'^Command: (python|bash) (.+)$', header, re.MULTILINE)
    if not any(path in command for _, command in commands):
        yield f'no line "Command: python tools/... {path}"'
    if not re.search(r'^Expected: \S.+', header, re.MULTILINE):
        yield 'no line "Expected: the score with its spread and source"'


def code_faults(text: str) -> Iterator[str]:
    """Yield what makes a config unusable elsewhere, or a lazy config for mmengine."""
    body = ast.parse(text).body
    if body and isinstance(body[0], ast.Expr):
        body = body[1:]
    names = [getattr(s, 'targets', [None])[0] for s in body]
    names = [getattr(target, 'id', None) for target in names]
    if '_base_' in names[1:]:
        yield '_base_ does not stand first'
    if '_base_' not in names:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield 'imports without a _base_'
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and re.match(r'[/~]|[A-Za-z]:\\', node.value):
            yield f'the absolute path {node.value!r}'


def test_there_are_configs_for_all_three_hosts():
    scopes = {loaded(path).default_scope for path in TRAINED}
    assert scopes == set(HOSTS)


@pytest.mark.parametrize('path', PROBES, ids=name)
def test_a_plan_of_probes_names_configs_that_there_are(path):
    plan = read_plan(loaded(path), 'cpu')
    named = [one.config for one in plan.candidates.values() if one.config]
    named += [one.config for one in plan.targets.values()]
    for config in named:
        assert (REPOSITORY / config).is_file(), config
    assert plan.main_layer.split()[0] in {one.partition(':')[0] for one in plan.layers}


@pytest.mark.parametrize('path', TRAINED, ids=name)
def test_a_config_loads_and_keeps_its_hosts_scope(path):
    cfg = loaded(path)
    assert cfg.default_scope in HOSTS
    assert {'model', 'train_dataloader', 'train_cfg', 'optim_wrapper'} <= cfg.keys()
    # The tools name the folder after the config.
    assert cfg.get('work_dir') is None


@pytest.mark.parametrize('path', RUNNABLE, ids=name)
def test_a_config_says_its_question_its_command_and_the_expected_score(path):
    faults = docstring_faults(path.read_text(), str(path.relative_to(REPOSITORY)))
    assert not list(faults)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_a_config_can_be_used_elsewhere(path):
    assert not list(code_faults(path.read_text()))


def header_options(path: Path) -> list[str]:
    """Return KEY=VALUE of --cfg-options in a config's header."""
    header = ast.get_docstring(ast.parse(path.read_text())) or ''
    return re.findall(r'(?<![\w.(])((?:[a-z]\w*\.)(?:\w+\.)*\w+=[^\s;,.)]\S*)', header)


@pytest.mark.parametrize(
    'path', [path for path in RUNNABLE if header_options(path)], ids=name
)
def test_options_in_a_header_are_settings_that_the_config_has(path):
    """Where the last name is new, what it belongs to is there."""
    cfg = loaded(path)
    for option in header_options(path):
        key = option.split('=')[0]
        node = cfg
        for part in key.split('.')[:-1]:
            node = node[int(part)] if part.isdigit() else node[part]
        assert isinstance(node, (dict, list)), option


def test_mim_can_find_each_config_by_its_file_name_alone():
    """mim looks for the name in the whole package, where the tools lie too."""
    shipped = [path for path in CONFIGS]
    for folder in ('mmdetxfer', 'tools'):
        shipped += (REPOSITORY / folder).rglob('*.py')
    names = [path.name for path in shipped if '.mim' not in path.parts]
    assert [path.name for path in CONFIGS if names.count(path.name) > 1] == []


def test_what_the_model_index_names_is_there():
    """Paths in the index and in its files are relative to the repository."""
    index = load_model_index(str(REPOSITORY / 'model-index.yml'))
    for model in index.models or []:
        assert (REPOSITORY / model.config).is_file(), model.config


def test_the_checks_of_this_file_can_fail():
    path = 'configs/a/b.py'
    good = f'Which one?\n\nCommand: python tools/train.py {path}\nExpected: 3 +- 1 (x)'
    faulty = {
        'begins with no question': good.replace('?', '.'),
        'no line "Command': good.replace('b.py', 'c.py'),
        'no line "Expected': good.replace('Expected:', 'Perhaps'),
    }
    assert not list(docstring_faults(f'"""{good}"""', path))
    for fault, header in faulty.items():
        found = list(docstring_faults(f'"""{header}"""', path))
        assert len(found) == 1 and fault in found[0]
    faulty = {
        '_base_ does not stand first': 'a = 1\n_base_ = "x"',
        'imports without a _base_': 'import math',
        "the absolute path '/data'": '"""x"""\na = dict(b=["/data"])',
        "the absolute path '~/data'": 'a = "~/data"',
    }
    assert not list(code_faults('"""x"""\n_base_ = "b"\nimport math\na = "data/c"'))
    for fault, text in faulty.items():
        assert list(code_faults(text)) == [fault]
