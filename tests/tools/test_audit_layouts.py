"""The audit of COCO, OpenImages, label maps and classifiers' data sets."""

import json
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from audit_data import audit_with, cut, rows_of, small_voc, write_image


@pytest.fixture
def audit(tools, tmp_path):
    return audit_with(tools, tmp_path)


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
