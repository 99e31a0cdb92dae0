"""SBD beside VOC2012: the world's, converted, and what is broken is named."""

import shutil

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmdetxfer.datasets.sbd_labels import convert_sbd, read_sbd_labels
from mmdetxfer.errors import UserError
from mmdetxfer.worlds import sbd, voc

SIZES = {'train': 8, 'val': 6}


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'VOCdevkit'
    voc.write_voc2012(folder / 'VOC2012', SIZES, 0)
    sbd.write(folder / 'VOCaug', SIZES, 0)
    return folder


@pytest.fixture
def world(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / 'VOCdevkit')
    return tmp_path / 'VOCdevkit'


def names(world, name):
    path = world / 'VOC2012/ImageSets/Segmentation' / f'{name}.txt'
    return path.read_text().split()


@pytest.mark.parametrize('workers', [1, 2])
def test_lists_are_sorted_and_leave_vocs_val_out(world, workers):
    train, val = names(world, 'train'), names(world, 'val')
    told = []
    counts = convert_sbd(
        world / 'VOC2012', world / 'VOCaug', workers, lambda *done: told.append(done)
    )
    aug, trainaug = names(world, 'aug'), names(world, 'trainaug')
    assert aug == sorted(aug) and trainaug == sorted({*aug, *train})
    assert not set(aug) & {*train, *val} and len(aug) == counts.num_aug > 0
    assert counts.num_trainaug == len(trainaug) and counts.kept == 0
    assert told[-1] == (14, 14) and counts.made == 14
    files = list((world / 'VOC2012/SegmentationClassAug').iterdir())
    assert {path.suffix for path in files} == {'.png'} and len(files) == 14


def test_labels_are_those_of_the_mat_files_and_read_by_mmseg(world):
    """Where VOC segments the image too, they agree but for its void pixels."""
    from mmseg.registry import DATASETS
    from mmseg.utils import register_all_modules

    convert_sbd(world / 'VOC2012', world / 'VOCaug')
    folder = world / 'VOC2012'
    for name in names(world, 'aug'):
        mine = np.asarray(Image.open(folder / f'SegmentationClassAug/{name}.png'))
        mat = world / f'VOCaug/dataset/cls/{name}.mat'
        np.testing.assert_array_equal(mine, read_sbd_labels(mat))
    name = names(world, 'train')[0]
    voc_labels = np.asarray(Image.open(folder / f'SegmentationClass/{name}.png'))
    mine = np.asarray(Image.open(folder / f'SegmentationClassAug/{name}.png'))
    certain = voc_labels != 255
    assert (mine[certain] == voc_labels[certain]).mean() > 0.95
    register_all_modules(init_default_scope=False)
    cfg = Config(dict(_base_='mmseg::_base_/datasets/pascal_voc12_aug.py'))
    cfg = Config.fromfile(_child(world))
    with DefaultScope.overwrite_default_scope('mmseg'):
        data = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(data) == len(names(world, 'trainaug'))
    assert all(data[k]['inputs'].shape[0] == 3 for k in range(len(data)))


def _child(world):
    """Write a config of mmseg's, with its data in the world."""
    path = world / 'child.py'
    path.write_text("_base_ = 'mmseg::_base_/datasets/pascal_voc12_aug.py'\n")
    text = Config.fromfile(path).pretty_text
    path.write_text(text.replace('data/VOCdevkit', str(world)))
    return path


def test_what_is_there_is_kept_and_a_killed_run_goes_on(world):
    convert_sbd(world / 'VOC2012', world / 'VOCaug')
    folder = world / 'VOC2012/SegmentationClassAug'
    first, second, *_ = sorted(folder.iterdir())
    before = second.stat().st_mtime_ns
    first.unlink()
    counts = convert_sbd(world / 'VOC2012', world / 'VOCaug')
    assert (counts.made, counts.kept) == (1, 13) and first.is_file()
    assert second.stat().st_mtime_ns == before


@pytest.mark.parametrize('workers', [1, 2])
def test_a_broken_file_is_named_and_no_list_is_written(world, workers):
    broken = sorted((world / 'VOCaug/dataset/cls').iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(UserError, match=f'{broken.name}: expected SBD.s GTcls'):
        convert_sbd(world / 'VOC2012', world / 'VOCaug', workers)
    assert not (world / 'VOC2012/ImageSets/Segmentation/aug.txt').exists()


def test_what_is_missing_is_named(world):
    with pytest.raises(UserError, match='train.txt: expected a list of images there'):
        convert_sbd(world, world / 'VOCaug')
    gone = sorted((world / 'VOCaug/dataset/cls').iterdir())[0]
    gone.unlink()
    with pytest.raises(UserError, match=f'1 are missing, first {gone.name}'):
        convert_sbd(world / 'VOC2012', world / 'VOCaug')


def test_labels_that_voc_does_not_have(tmp_path):
    from scipy.io import savemat

    path = tmp_path / 'wrong.mat'
    kind = [('Segmentation', object)]
    content = np.zeros((1, 1), dtype=kind)
    content[0, 0] = (np.full((3, 3), 21, np.uint8),)
    savemat(path, {'GTcls': content})
    with pytest.raises(UserError, match='labels 0 to 20, got shape .3, 3. with 21'):
        read_sbd_labels(path)
