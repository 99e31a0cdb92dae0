"""tools/analysis_tools/audit_dataset.py on the tiny world, on VOC sets, its options."""

import re

import pytest
from audit_data import (
    AUDIT,
    audit_with,
    cut,
    rows_of,
    small_voc,
    write_image,
    write_voc,
)
from PIL import Image
from tool_runner import CLS, DET, SEG


@pytest.fixture
def audit(tools, tmp_path):
    return audit_with(tools, tmp_path)


# Whole data: the tiny world, through the tiny configs.


@pytest.mark.parametrize('config', [CLS, DET, SEG], ids=['cls', 'det', 'seg'])
def test_the_tiny_world_has_classes_that_are_never_seen_and_nothing_else(
    tools, here, config
):
    printed = tools(AUDIT, config, cwd=here).printed
    assert list(rows_of(printed)) == ['class never seen']


def test_workers_change_nothing_and_val_is_read_once(tools, here):
    """The test split is the validation split again, in words and in the table."""
    printed = [tools(AUDIT, DET, '--workers', k, cwd=here).printed for k in (0, 2)]
    assert rows_of(printed[0]) == rows_of(printed[1])
    lines = [line for line in printed[0].splitlines() if 'VOCDataset' in line]
    assert [line.split(':')[0] for line in lines] == ['train', 'val and test']
    for line in lines:
        images, objects, *used = map(int, re.findall(r'\d+', line))
        assert [images, objects] == used and images > 0


# VOC, damaged in each way, and the options.


def test_each_damage_of_a_voc_set_has_its_row(audit, tmp_path):
    """Stated 40x30; the whole image is 1, 1, 40, 30 in VOC's counting."""
    whole = ('cat', 1, 1, 40, 30)
    root = tmp_path / 'voc'
    train = write_voc(
        root,
        'train',
        whole=((40, 30), [whole]),
        flat=((40, 30), [whole, ('cat', 9, 9, 9, 20)]),
        swapped=((40, 30), [('cat', 9, 9, 5, 20)]),
        outside=((40, 30), [('cat', 0, 1, 40, 30), ('cat', 1, 1, 42, 30)]),
        unknown=((40, 30), [('tram', 1, 1, 9, 9), whole]),
        empty=((40, 30), []),
        wide=((41, 30), [whole]),
        cut=((40, 30), [whole]),
        missing=((40, 30), [whole]),
    )
    val = write_voc(root, 'val', double=((40, 30), [('dog', 1, 'nan', 9, 9)]))
    folder = root / 'JPEGImages'
    for name in 'whole flat swapped outside unknown empty wide cut'.split():
        write_image(folder / f'{name}.jpg')
    cut(folder / 'cut.jpg')
    (folder / 'double.jpg').write_bytes((folder / 'whole.jpg').read_bytes())
    printed = audit('mmdet', train=train, val=val)
    found = rows_of(printed)
    counts = {reason: count for reason, (count, _) in found.items()}
    assert counts == {
        'reader stops': 1,
        'unreadable image': 2,
        'size differs': 1,
        'box with NaN or infinity': 1,
        'box with swapped corners': 1,
        'box of no area': 1,
        'box outside the image': 2,
        'class unknown to the config': 1,
        'class never seen': 2,
        'image without objects': 1,
        'image in two splits': 1,
    }
    said = {reason: examples for reason, (_, examples) in found.items()}
    assert said['unreadable image'] == [
        f'train: {folder}/cut.jpg: truncated: JPEG without its end marker',
        f'train: {folder}/missing.jpg: No such file or directory',
    ]
    assert said['size differs'] == [
        f'train: {folder}/wide.jpg: 41x30 in the annotation, 40x30 in the file'
    ]
    (swapped,) = said['box with swapped corners']
    assert swapped == f'train: {folder}/swapped.jpg: cat at 8, 8, 4, 19 in 40x30'
    assert said['class unknown to the config'] == ['train: tram (1 object)']
    assert said['class never seen'] == ['train: dog', 'val: cat']
    double = f'train: {folder}/whole.jpg = val: {folder}/double.jpg'
    assert said['image in two splits'] == [double]
    assert 'VOCDataset: ValueError: cannot convert float NaN' in said['reader stops'][0]
    # 1 + 2 + 1 + 2 + 2 + 0 + 1 + 1 + 1 objects; the reader leaves out the tram.
    assert '9 images and 11 objects in the annotation, 9 and 10 used' in printed
    assert '1 images and 1 objects in the annotation, none used' in printed


def test_nothing_is_found_in_whole_data_through_wrappers(audit, tmp_path):
    """Repeated, balanced and joined: each image once, and its two objects."""
    inner = small_voc(tmp_path, 'a', 'b')
    balanced = dict(type='ClassBalancedDataset', dataset=inner, oversample_thr=0.9)
    joined = dict(type='ConcatDataset', datasets=[balanced, inner])
    wrapped = dict(type='RepeatDataset', times=3, dataset=joined)
    printed = audit('mmdet', '--strict', train=wrapped)
    assert 'nothing found' in printed
    assert printed.count('VOCDataset') == 1
    assert '2 images and 4 objects in the annotation, 2 and 4 used' in printed


def test_only_the_named_split_is_read(audit, tmp_path):
    """An image in two splits is only found where both are read."""
    train = small_voc(tmp_path, 'a', 'b')
    val = small_voc(tmp_path, 'c', split='val')
    test = small_voc(tmp_path, 'd', split='test', seeds=(7,))
    splits = dict(train=train, val=val, test=test)
    assert list(rows_of(audit('mmdet', **splits))) == ['image in two splits']
    for name in splits:
        printed = audit('mmdet', '--split', name, **splits)
        assert 'nothing found' in printed and f'{name}: VOCDataset' in printed
        assert printed.count('VOCDataset') == 1
    printed = audit('mmdet', '--split', 'val', fails=True, train=train)
    assert 'expected a val_dataloader, there is none' in printed


def test_data_that_train_and_val_share_is_in_two_splits(audit, tmp_path):
    one = small_voc(tmp_path, 'a', 'b')
    found = rows_of(audit('mmdet', train=one, val={**one, 'test_mode': True}))
    assert found['image in two splits'][0] == 2


def test_a_part_of_the_data_is_audited_alone(audit, tmp_path):
    one = small_voc(tmp_path, 'a', 'b', 'c')
    cut(tmp_path / 'voc' / 'JPEGImages' / 'c.jpg')
    assert 'unreadable image' in rows_of(audit('mmdet', train=one))
    part = {**one, 'indices': [0, 1]}
    assert 'nothing found' in audit('mmdet', train=part)
    rest = {**one, 'indices': [2]}
    found = rows_of(audit('mmdet', train=part, val=rest))
    assert list(found) == ['unreadable image']


def test_strict_ends_with_1_but_for_what_is_allowed(audit, tmp_path):
    one = small_voc(tmp_path, 'a', 'b')
    one['metainfo'] = dict(classes=('cat', 'dog', 'cow'))
    cut(tmp_path / 'voc' / 'JPEGImages' / 'b.jpg')
    assert 'class never seen' in audit('mmdet', train=one)
    printed = audit('mmdet', '--strict', fails=True, train=one)
    assert 'error: --strict: found unreadable image, class never seen' in printed
    allowed = ('--strict', '--allow', 'class never seen')
    printed = audit('mmdet', *allowed, fails=True, train=one)
    assert 'error: --strict: found unreadable image\n' in printed
    audit('mmdet', *allowed, 'unreadable image', train=one)


def test_options_that_cannot_be_meant_are_refused(audit, tools, tmp_path):
    one = small_voc(tmp_path, 'a')
    printed = audit('mmdet', '--allow', 'bad luck', fails=True, train=one)
    said = "--allow: 'bad luck' is no reason; expected some of 'reader stops', "
    assert said in printed
    printed = audit('mmdet', '--workers', -1, fails=True, train=one)
    assert '--workers: expected 0 or more processes, got -1' in printed
    printed = tools(AUDIT, 'none.py', cwd=tmp_path, fails=True).printed
    assert 'config not found: expected a file at none.py' in printed


def test_data_that_is_not_there_is_one_clear_line(audit, tmp_path):
    one = small_voc(tmp_path, 'a')
    elsewhere = 'train_dataloader.dataset.data_root=nowhere'
    printed = audit('mmdet', '--cfg-options', elsewhere, fails=True, train=one)
    assert printed.splitlines()[-1].startswith(
        'error: train data: expected a folder at data_root nowhere, there is none'
    )
    printed = audit('mmdet', fails=True, train={**one, 'type': 'NoSuchDataset'})
    assert 'train data: NoSuchDataset cannot be built (KeyError' in printed
    found = rows_of(audit('mmdet', train={**one, 'ann_file': 'none.txt'}))
    assert found['unreadable annotation'][0] == 1 and found['reader stops'][0] == 1
    remote = {**one, 'data_prefix': dict(sub_data_root='s3://bucket')}
    printed = audit('mmdet', fails=True, train=remote)
    assert 'train data: expected local files, got s3://bucket; audit a local' in printed


def test_sizes_are_compared_as_the_configs_loader_sees_them(audit, tmp_path):
    """Stored 40x30 with a quarter turn in its EXIF entry, stated 40x30."""
    one = small_voc(tmp_path, 'a')
    exif = Image.Exif()
    exif[0x0112] = 6
    image = tmp_path / 'voc' / 'JPEGImages' / 'a.jpg'
    Image.open(image).convert('RGB').save(image, exif=exif)

    def found(**loader):
        pipeline = [dict(type='LoadImageFromFile', **loader)]
        return rows_of(audit('mmdet', train={**one, 'pipeline': pipeline}))

    (example,) = found()['size differs'][1]
    assert example.endswith('30x40 in the file (turned by its EXIF entry)')
    assert found(color_type='unchanged') == found(imdecode_backend='turbojpeg') == {}
    assert 'size differs' in found(color_type='grayscale', imdecode_backend='pillow')
