"""Configs are read as mmengine reads them, without a look at any metafile."""

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from mmdetxfer.config_files import format_texts_once, read_config_file

BASES = (
    # With a metafile and without, of each host, and one of this repository.
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mmdet::_base_/datasets/voc0712.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmpretrain::resnet/resnet18_8xb32_in1k.py',
)


@pytest.mark.parametrize('base', BASES)
def test_a_config_is_as_mmengine_reads_it(tmp_path, base, monkeypatch):
    path = tmp_path / 'one.py'
    path.write_text(f"_base_ = ['{base}', './other.py']\nmine = 1\n")
    (tmp_path / 'other.py').write_text('theirs = 2\n')
    expected = Config.fromfile(path)

    def never(*_):
        raise AssertionError('a metafile was looked for')

    monkeypatch.setattr(mmengine_config, '_get_external_cfg_path', never)
    found = read_config_file(path)
    assert found.to_dict() == expected.to_dict()
    assert (found.mine, found.theirs) == (1, 2)
    with pytest.raises(AssertionError):
        Config.fromfile(path)


@pytest.mark.parametrize('base', ['mmdet::no/such.py', 'mmnone::a/b.py'])
def test_what_is_not_there_is_mmengines_to_say(tmp_path, base):
    path = tmp_path / 'one.py'
    path.write_text(f"_base_ = '{base}'\n")
    with pytest.raises((FileNotFoundError, AssertionError)) as expected:
        Config.fromfile(path)
    with pytest.raises(type(expected.value)) as found:
        read_config_file(path)
    assert str(found.value) == str(expected.value)


def test_a_text_is_formatted_once(monkeypatch):
    formatted = []

    def counting(text, style_config, verify=False):
        formatted.append((text, style_config, verify))
        return text, True

    monkeypatch.setattr(mmengine_config, 'FormatCode', counting)
    format_texts_once()
    format_texts_once()
    cfg = Config(dict(a=1))
    assert cfg.pretty_text == cfg.pretty_text == 'a=1' and len(formatted) == 1
    cfg.a = 2
    assert 'a=2' in cfg.pretty_text and len(formatted) == 2
    assert formatted[0][1]['based_on_style'] == 'pep8'
    # As mmengine calls older versions.
    mmengine_config.FormatCode('x', style_config={}, verify=True)
    assert formatted[2] == ('x', {}, True)
