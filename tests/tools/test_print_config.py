"""tools/misc/print_config.py prints and saves what a config comes to."""

import pytest
from mmengine.config import Config
from tool_runner import DET


@pytest.mark.parametrize('ending', ['.py', '.json', '.yml'])
def test_what_is_saved_is_the_config_with_the_options_applied(tools, here, ending):
    """One value of the host's file, one of ours, and one of the command line."""
    out = here / 'deep' / f'whole{ending}'
    options = ('model.backbone.depth=34', 'train_dataloader.batch_size=3')
    arguments = ('--save-path', out, '--cfg-options', *options)
    printed = tools('misc/print_config.py', DET, *arguments, cwd=here).printed
    expected = Config.fromfile(DET)
    expected.merge_from_dict(
        {'model.backbone.depth': 34, 'train_dataloader.batch_size': 3}
    )
    saved = Config.fromfile(out)
    if ending == '.py':  # the others know no tuples
        assert saved.to_dict() == expected.to_dict()
    assert saved.model.type == 'RetinaNet'
    assert saved.model.bbox_head.feat_channels == 32
    assert saved.model.backbone.depth == 34
    assert expected.pretty_text.strip() in printed
    assert f'written to {out}' in printed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('absent.py',), 'config not found: expected a file at absent.py'),
        (
            (DET, '--save-path', 'c.txt'),
            '--save-path c.txt: expected a name that ends in .py, .json, .yml',
        ),
    ],
)
def test_bad_input_ends_with_one_clear_line(tools, here, arguments, message):
    ended = tools('misc/print_config.py', *arguments, cwd=here, fails=True)
    assert ended.code == 1
    assert ended.printed.splitlines() == [
        line for line in ended.printed.splitlines() if line.startswith('error: ')
    ]
    assert message in ended.printed
