"""tools/misc/cache_annotations.py on the world's OpenImages."""

import os

import pytest
from tool_runner import DET, REPOSITORY

CONFIG = REPOSITORY / 'configs/sniper/sniper_r50-c4c5_8xb16-7e_openimages.py'
TOOL = 'misc/cache_annotations.py'


@pytest.fixture
def options(here):
    folder = here / 'work_dirs/world_tiny/OpenImages'
    keys = ('train_dataloader.dataset.dataset', 'val_dataloader.dataset')
    keys += ('test_dataloader.dataset',)
    settings = [f'{key}.data_root={folder}' for key in keys]
    settings += [f'{key}.cache_dir={here / "columns"}' for key in keys]
    return ('--cfg-options', *settings)


def test_the_columns_of_a_config_are_made_and_compared(tools, here, options):
    ended = tools(TOOL, CONFIG, '--verify', *options, cwd=here)
    assert 'train: 20 images of' in ended.printed and 'val: 4 images' in ended.printed
    kept = sorted(path.name for path in (here / 'columns').glob('openimages-*/'))
    assert len(kept) == 3
    boxes = here / 'work_dirs/world_tiny/OpenImages/annotations'
    boxes /= 'validation-annotations-bbox.csv'
    content, state = boxes.read_bytes(), boxes.stat()
    try:
        boxes.write_bytes(content[:-2] + b'1\n')
        os.utime(boxes, ns=(state.st_atime_ns, state.st_mtime_ns))
        ended = tools(TOOL, CONFIG, '--verify', *options, cwd=here, fails=True)
        assert f'{boxes.resolve()} has another content than' in ended.printed
        # Without a look at the content nothing is to be seen.
        tools(TOOL, CONFIG, *options, cwd=here)
    finally:
        boxes.write_bytes(content)


def test_a_config_without_such_data_is_refused(tools, here):
    ended = tools(TOOL, DET, cwd=here, fails=True)
    assert 'expected data sets that keep columns' in ended.printed
    ended = tools(TOOL, 'none.py', cwd=here, fails=True)
    assert 'config not found: expected a file at none.py' in ended.printed
