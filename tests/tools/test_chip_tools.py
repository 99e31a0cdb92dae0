"""The report and the pictures of chips, on the world's own configs."""

import json
import shutil

import cv2
import numpy as np
from tool_runner import DET, REPOSITORY

from mmdetxfer.predictions import load_predictions

CONFIG = REPOSITORY / 'configs/sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py'
TINY = 'train_dataloader.dataset.dataset.data_root=work_dirs/world_tiny/VOCdevkit/'


def test_the_report_says_that_each_box_of_the_world_is_valid_in_some_chip(tools, here):
    arguments = ('--out', 'report.json', '--cfg-options', TINY)
    ended = tools('analysis_tools/chip_report.py', CONFIG, *arguments, cwd=here)
    report = json.loads((here / 'report.json').read_text())
    assert report['num_images'] > 5 and len(report['chips_per_image']) == 3
    assert sum(one['num_boxes'] for one in report['sizes']) > 20
    # The smallest box of the world too.
    assert all(one['num_never_valid'] == 0 for one in report['sizes'])
    assert 'suggested for these sizes: plan=dict(chip_px=128, scales=[' in ended.printed


def test_pictures_show_the_chips_of_images(tools, here):
    arguments = ('--out', 'pictures', '--images', '2', '--cfg-options', TINY)
    tools('analysis_tools/browse_chips.py', CONFIG, *arguments, cwd=here)
    pictures = sorted((here / 'pictures').glob('*.png'))
    assert len(pictures) == 2
    for path in pictures:
        picture = cv2.imread(str(path)).reshape(-1, 3).tolist()
        # Green: a valid box.
        assert [60, 180, 60] in picture
    for option in ('seed', 'epoch'):
        changed = (f'--{option}', '1', '--cfg-options', TINY)
        other = ('--out', option, '--images', '2', *changed)
        tools('analysis_tools/browse_chips.py', CONFIG, *other, cwd=here)
        again = [here / option / path.name for path in pictures]
        assert [p.read_bytes() for p in again] != [p.read_bytes() for p in pictures]


def test_an_image_that_cannot_be_read_is_named_by_the_pictures(tools, here):
    shutil.copytree(here / 'work_dirs/world_tiny/VOCdevkit', here / 'broken')
    for path in (here / 'broken').rglob('*.jpg'):
        path.write_bytes(path.read_bytes()[:300])
    options = ('--cfg-options', TINY.split('=')[0] + '=broken/')
    arguments = (CONFIG, '--out', 'pictures', *options)
    ended = tools('analysis_tools/browse_chips.py', *arguments, cwd=here, fails=True)
    assert '.jpg cannot be read' in ended.printed and 'Traceback' not in ended.printed


def test_chips_are_trained_and_tested_at_several_scales(tools, here):
    """One short epoch; a detector that has hardly begun still gives boxes."""
    epoch = ('train_cfg.max_epochs=1', 'param_scheduler.1.milestones=[0.5]', TINY)
    val = 'val_dataloader.dataset.data_root=work_dirs/world_tiny/VOCdevkit/'
    options = ('--cfg-options', *epoch, val, 'train_dataloader.batch_size=32')
    trained = tools('train.py', CONFIG, '--work-dir', 'run', *options, cwd=here)
    assert 'chips of' in trained.printed and 'loss_rpn_cls' in trained.printed
    test = val.replace('val_', 'test_')
    few = ('--cfg-options', test, 'test_dataloader.dataset.indices=4')
    found = {}
    for name, arguments in (('one', ()), ('all', ('--tta',))):
        arguments = ('--work-dir', name, '--out', f'{name}.npz', *arguments, *few)
        tools('test.py', CONFIG, 'run/epoch_1.pth', *arguments, cwd=here)
        found[name] = load_predictions(here / f'{name}.npz')
    several = found['all'].columns
    assert np.bincount(several['image_index']).max() <= 200
    assert len(several['scores']) > 0
    assert several['boxes'].tolist() != found['one'].columns['boxes'].tolist()


def test_a_config_without_chips_is_refused(tools, here):
    ended = tools('analysis_tools/chip_report.py', DET, cwd=here, fails=True)
    assert 'expected a mmdetxfer.ChipDataset, got VOCDataset' in ended.printed
    assert ended.code == 1 and 'Traceback' not in ended.printed
