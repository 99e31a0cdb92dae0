"""Our configs can be found and inherited from another repository."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmdetxfer
from mmdetxfer import installed_configs

REPOSITORY = Path(__file__).resolve().parents[1]


def test_a_config_is_found_by_its_path_under_configs():
    (config,) = (REPOSITORY / 'configs' / 'tiny').glob('tiny_det_*.py')
    found = mmdetxfer.config_path(f'tiny/{config.name}')
    assert Path(found).is_absolute()
    assert Path(found).samefile(config)


def test_an_unknown_config_is_refused_with_the_nearest_names():
    (config,) = (REPOSITORY / 'configs' / 'tiny').glob('tiny_det_*.py')
    wrong = f'tiny/{config.name}'.replace('_det_', '_dt_')
    with pytest.raises(ValueError, match=f'came .*nearest: .*{config.name}'):
        mmdetxfer.config_path(wrong)


@pytest.mark.parametrize('name', ['../pyproject.toml', '/etc/passwd', 'tiny', ''])
def test_what_is_no_config_is_refused(name):
    with pytest.raises(ValueError, match='expected the name of a config'):
        mmdetxfer.config_path(name)


def test_an_installed_package_uses_the_configs_that_it_carries(tmp_path, monkeypatch):
    package = tmp_path / 'site-packages' / 'mmdetxfer'
    (package / '.mim' / 'configs').mkdir(parents=True)
    (package / '.mim' / 'configs' / 'x.py').write_text('')
    monkeypatch.setattr(installed_configs, '_PACKAGE', str(package))
    assert mmdetxfer.config_path('x.py') == str(package / '.mim' / 'configs' / 'x.py')


def test_a_package_without_configs_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(installed_configs, '_PACKAGE', str(tmp_path / 'mmdetxfer'))
    with pytest.raises(ValueError, match='the folder is empty'):
        mmdetxfer.config_path('x.py')


def test_a_config_of_another_repository_inherits_ours(tmp_path):
    """In a fresh interpreter, from another folder; the child's value wins."""
    (config,) = (REPOSITORY / 'configs' / 'tiny').glob('tiny_cls_*.py')
    mine = tmp_path / 'mine.py'
    mine.write_text(
        f"_base_ = __import__('mmdetxfer').config_path('tiny/{config.name}')\n"
        'randomness = dict(seed=7)\n'
    )
    code = (
        'import sys; from mmengine.config import Config\n'
        'cfg = Config.fromfile(sys.argv[1])\n'
        'print(cfg.randomness.seed, cfg.default_scope)'
    )
    command = [sys.executable, '-c', code, str(mine)]
    output = subprocess.check_output(command, text=True, cwd=tmp_path)
    assert output.splitlines()[-1] == '7 mmpretrain'
