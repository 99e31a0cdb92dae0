"""tools/analysis_tools/audit_dataset.py on whole and damaged data of all hosts."""

import json
import os
import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tool_runner import CLS, DET, SEG

AUDIT = 'analysis_tools/audit_dataset.py'


def rows_of(printed: str) -> dict[str, tuple[int, list[str]]]:
    """Return count and examples by reason of a printed table."""
    rows: dict[str, tuple] = {}
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.split('│')[1:-1]]
        if len(cells) == 3 and cells[1]:
            rows[cells[0]] = (int(cells[1]), [])
        if len(cells) == 3:
            rows[list(rows)[-1]][1].append(cells[2])
    return rows


@pytest.fixture
def audit(tools, tmp_path):
    """Write a config with these data sets, audit it, return what was printed."""

    def run(scope, *options, fails=False, **datasets):
        config = tmp_path / 'config.py'
        lines = [f'_base_ = []\ndefault_scope = {scope!r}']
        for split, dataset in datasets.items():
            lines.append(f'{split}_dataloader = dict(dataset={dataset!r})')
        config.write_text('\n'.join(lines) + '\n')
        arguments = (AUDIT, config, '--workers', 0, *options)
        return tools(*arguments, cwd=tmp_path, fails=fails).printed

    return run


def write_image(path: Path, size=(40, 30), seed=None) -> Path:
    """Write an image of noise; without a seed the path decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed or list(str(path).encode()))
    pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-9])
    return path


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


# VOC, damaged in each way.


def write_voc(root: Path, split: str, **images) -> dict:
    """Write a VOC split: by image the stated size and objects; return its config."""
    for name, (size, objects) in images.items():
        inner = f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
        for label, *corners in objects:
            sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), corners, strict=True)
            box = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
            inner += f'<object><name>{label}</name><bndbox>{box}</bndbox></object>'
        xml = root / 'Annotations' / f'{name}.xml'
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(f'<annotation>{inner}</annotation>')
    (root / f'{split}.txt').write_text('\n'.join(images) + '\n')
    return dict(
        type='VOCDataset',
        data_root=str(root),
        ann_file=f'{split}.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('cat', 'dog')),
    )


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


def small_voc(tmp_path: Path, *names: str, split='train', seeds=(1, 2, 3)) -> dict:
    """One whole image a name, with a cat and a dog."""
    objects = [('cat', 1, 1, 9, 9), ('dog', 1, 1, 9, 9)]
    for name, seed in zip(names, seeds, strict=False):
        write_image(tmp_path / 'voc' / 'JPEGImages' / f'{name}.jpg', seed=seed)
    images = {name: ((40, 30), objects) for name in names}
    return write_voc(tmp_path / 'voc', split, **images)


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


# The other layouts.


def write_coco(root: Path, annotations: list, categories=('cat', 'dog')) -> dict:
    write_image(root / 'a.jpg')
    content = dict(
        images=[dict(id=1, file_name='a.jpg', width=40, height=30)],
        annotations=[
            dict(image_id=1, bbox=[1, 1, 9, 9], area=81, iscrowd=0, **one)
            for one in annotations
        ],
        categories=[dict(id=k, name=name) for k, name in enumerate(categories)],
    )
    (root / 'all.json').write_text(json.dumps(content))
    return dict(
        type='CocoDataset',
        data_root=str(root),
        ann_file='all.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat', 'dog')),
    )


def test_ids_and_order_of_a_coco_file_have_their_rows(audit, tmp_path):
    annotations = [dict(id=k, category_id=k % 2) for k in (0, 1, 1)]
    one = write_coco(tmp_path / 'coco', annotations, categories=('dog', 'cat'))
    found = rows_of(audit('mmdet', train=one))
    assert list(found) == [
        'reader stops',
        'id repeated',
        'annotation id 0',
        'classes in another order',
    ]
    assert 'are not unique' in found['reader stops'][1][0]
    assert found['classes in another order'][1] == [
        'train: label 0 is dog in the annotation, cat in the config',
        'train: label 1 is cat in the annotation, dog in the config',
    ]


def test_openimages_are_read_raw_and_their_sizes_from_a_plain_pickle(audit, tmp_path):
    """The pickle says 50 px wide, the file 40; corner 1.1 is 5 px outside of 50."""
    root = tmp_path / 'oi'
    write_image(root / 'img' / 'a.jpg')
    header = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,' + 'x,' * 5
    rows = ['a,x,/m/a,1,0.1,1.1,0,0.5,0,0,0,0,0', 'a,x,/m/z,1,0,1,0,1,0,0,0,0,0']
    (root / 'boxes.csv').write_text('\n'.join([header, *rows]) + '\n')
    (root / 'labels.csv').write_text('/m/a,Cat\n/m/b,Dog\n')
    (root / 'tree.json').write_text('{}')
    metas = [dict(filename='a.jpg', ori_shape=(30, 50, 3))]
    (root / 'metas.pkl').write_bytes(pickle.dumps(metas))
    one = dict(
        type='OpenImagesDataset',
        data_root=str(root),
        ann_file='boxes.csv',
        data_prefix=dict(img='img'),
        label_file='labels.csv',
        hierarchy_file='tree.json',
        meta_file='metas.pkl',
        metainfo=dict(classes=('Dog', 'Cat')),
    )
    found = rows_of(audit('mmdet', train=one))
    counts = {reason: count for reason, (count, _) in found.items()}
    assert counts == {
        'reader stops': 1,
        'size differs': 1,
        'box outside the image': 1,
        'class unknown to the config': 1,
        'classes in another order': 2,
        'class never seen': 1,
    }
    assert found['class unknown to the config'][1] == ['train: /m/z (1 object)']
    proof = tmp_path / 'proof'
    (root / 'metas.pkl').write_bytes(pickle.dumps([MakesFolder(str(proof))]))
    assert 'it names posix.mkdir' in audit('mmdet', fails=True, train=one)
    assert not proof.exists()


class MakesFolder:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def write_labels(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values)
    return path


def segmentation(root: Path, **settings) -> dict:
    prefix = dict(img_path='img', seg_map_path='map')
    metainfo = dict(classes=('road', 'sky', 'tree'))
    settings = {'metainfo': metainfo, 'data_prefix': prefix, **settings}
    return dict(type='BaseSegDataset', data_root=str(root), **settings)


def test_label_maps_are_read_pixel_by_pixel(audit, tmp_path):
    """whole: road and sky; void: 255 alone; extra: 12 pixels of 7, and one channel."""
    root = tmp_path / 'seg'
    values = np.zeros((30, 40), dtype=np.uint8)
    values[:10] = 1
    extra = values.copy()
    extra[0, :12] = 7
    maps = dict(
        whole=values,
        void=np.full_like(values, 255),
        extra=extra,
        small=values[:20],
        cut=values,
        colours=np.zeros((30, 40, 3), np.uint8),
    )
    for name, one in maps.items():
        write_image(root / 'img' / f'{name}.jpg')
        write_labels(root / 'map' / f'{name}.png', one)
    cut(root / 'map' / 'cut.png')
    printed = audit('mmseg', train=segmentation(root))
    assert '6 images and 6 label maps in the annotation' in printed
    found = rows_of(printed)
    folder = root / 'map'
    expected = {
        'unreadable label map': [
            f'train: {folder}/colours.png: label map of mode RGB: expected one channel',
            f'train: {folder}/cut.png: truncated: PNG without its last chunk',
        ],
        'size differs': [f'train: {folder}/small.png: 40x20, its image 40x30'],
        'class unknown to the config': ['train: label 7 of label maps (12 pixels)'],
        'class never seen': ['train: tree'],
        'image without objects': [f'train: {folder}/void.png'],
    }
    assert {reason: examples for reason, (_, examples) in found.items()} == expected


def test_label_maps_are_read_by_the_data_sets_settings(audit, tmp_path):
    """Stored 0, 1, 3: 0 void and 1, 3 road and tree; or ignored 3, or 0 left out."""
    root = tmp_path / 'seg'
    values = np.array([[0, 1], [3, 3]], dtype=np.uint8)
    write_image(root / 'img' / 'a.jpg', size=(2, 2))
    write_labels(root / 'map' / 'a.png', values)

    def found(**settings):
        rows = rows_of(audit('mmseg', train=segmentation(root, **settings)))
        return {reason: examples for reason, (_, examples) in rows.items()}

    unseen = {'class never seen': ['train: sky']}
    assert found(reduce_zero_label=True) == unseen
    assert found(ignore_index=3) == {'class never seen': ['train: tree']}
    assert found() == {
        'class unknown to the config': ['train: label 3 of label maps (2 pixels)'],
        'class never seen': ['train: tree'],
    }


def test_folders_of_a_classifier_are_numbered_in_their_own_order(audit, tmp_path):
    for folder in ('ant', 'bee'):
        write_image(tmp_path / 'cls' / folder / 'a.jpg')

    def found(*classes):
        folder = str(tmp_path / 'cls')
        one = dict(type='CustomDataset', data_root=folder, classes=classes)
        rows = rows_of(audit('mmpretrain', train=one))
        return {reason: count for reason, (count, _) in rows.items()}

    assert found('ant', 'bee') == {}
    assert found('bee', 'ant') == {'classes in another order': 2}
    assert found('Formicidae', 'Apis') == {}
    assert found('ant', 'bee', 'fly') == {'reader stops': 1, 'class never seen': 3}


def test_labels_beyond_the_configs_classes_are_unknown(audit, tmp_path):
    write_image(tmp_path / 'a.jpg')
    (tmp_path / 'all.txt').write_text('a.jpg 0\na.jpg 5\n')
    one = dict(
        type='CustomDataset',
        data_root=str(tmp_path),
        ann_file='all.txt',
        classes=('ant',),
    )
    found = rows_of(audit('mmpretrain', train=one))
    expected = (1, ['train: label 5 (1 object)'])
    assert found == {'class unknown to the config': expected}


def test_a_scene_outside_suns_397_is_named_where_the_reader_stops(audit, tmp_path):
    root = tmp_path / 'sun'
    write_image(root / 'SUN397' / 'a' / 'abbey' / 'x.jpg')
    write_image(root / 'SUN397' / 'z' / 'zeppelin' / 'y.jpg')
    (root / 'Partitions').mkdir()
    lines = '/a/abbey/x.jpg\n/z/zeppelin/y.jpg\n'
    (root / 'Partitions' / 'Training_01.txt').write_text(lines)
    one = dict(type='SUN397', data_root=str(root), split='train')
    found = rows_of(audit('mmpretrain', train=one))
    assert found['class unknown to the config'][1] == ['train: zeppelin (1 object)']
    assert 'SUN397: ValueError' in found['reader stops'][1][0]
    assert found['class never seen'][0] == 396


def test_the_objects_of_a_multi_label_set_come_from_its_xml_files(audit, tmp_path):
    small_voc(tmp_path, 'a')
    root = tmp_path / 'voc'
    one = dict(
        type='VOC',
        data_root=str(root),
        split='',
        image_set_path='train.txt',
        classes=('cat',),
    )
    xml = root / 'Annotations' / 'a.xml'
    text = xml.read_text().replace('</name>', '</name><difficult>0</difficult>')
    xml.write_text(text)
    found = rows_of(audit('mmpretrain', train=one))
    assert found['class unknown to the config'][1] == ['train: dog (1 object)']


def test_samples_that_are_no_files_cannot_be_audited(audit, tmp_path):
    (tmp_path / 'all.json').write_text(
        json.dumps(dict(metainfo={}, data_list=[dict(img=1)]))
    )
    file = str(tmp_path / 'all.json')
    one = dict(type='BaseDataset', ann_file=file, data_prefix=dict())
    printed = audit('mmpretrain', fails=True, train=one)
    assert 'BaseDataset: expected an image file (img_path) of each sample' in printed
