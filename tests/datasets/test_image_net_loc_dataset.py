"""ImageNet-Loc on the embedded world: boxes, labels, and the very same samples."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from mmpretrain.datasets import ImageNet

from mmdetxfer.datasets import ImageNetLocDataset, SubsetDataset
from mmdetxfer.errors import UserError
from mmdetxfer.worlds import imagenet_loc


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'ILSVRC'
    imagenet_loc.write(folder, {'train': 30, 'val': 10}, 3)
    return folder


def dataset(root, split='train', **options):
    return ImageNetLocDataset(
        **{
            'data_root': str(root),
            'ann_file': f'Annotations/CLS-LOC/{split}',
            'data_prefix': dict(img=f'Data/CLS-LOC/{split}'),
            'synsets': 'LOC_synset_mapping.txt',
            'cache_dir': str(root.parent / 'cache'),
            **options,
        }
    )


def test_boxes_are_those_of_the_files_and_end_behind_their_last_pixel(root):
    found = dataset(root)
    assert len(found) == 30
    for index in range(30):
        info = found.get_data_info(index)
        path = root / 'Annotations/CLS-LOC/train' / f'{info["img_id"]}.xml'
        tree = ElementTree.parse(path)
        size = [int(tree.findtext(f'size/{k}')) for k in ('width', 'height')]
        assert [info['width'], info['height']] == size
        objects = tree.findall('object')
        for node, one in zip(objects, info['instances'], strict=True):
            corners = [
                int(node.findtext(f'bndbox/{k}'))
                for k in ('xmin', 'ymin', 'xmax', 'ymax')
            ]
            assert one['bbox'] == [*corners[:2], corners[2] + 1, corners[3] + 1]
            assert found.metainfo['classes'][one['bbox_label']] == node.findtext('name')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_as_classification_the_samples_are_those_of_mmpretrain(root, split):
    theirs = ImageNet(
        data_root=str(root / 'Data/CLS-LOC'), split=split, ann_file=f'meta/{split}.txt'
    )
    mine = dataset(root, split)
    found = {
        info['img_path'].split('CLS-LOC/')[1]: info['gt_label']
        for info in (mine.get_data_info(k) for k in range(len(mine)))
    }
    expected = {
        info['img_path'].split('CLS-LOC/')[1]: info['gt_label']
        for info in (theirs.get_data_info(k) for k in range(len(theirs)))
    }
    assert found == expected and len(found) == len(mine)


def test_synsets_are_those_that_occur_or_those_that_are_named(root, monkeypatch):
    said = []
    module = 'mmdetxfer.datasets.image_net_loc_dataset'
    monkeypatch.setattr(f'{module}.print_log', lambda text, _: said.append(text))
    free = dataset(root, synsets=None)
    classes = free.metainfo['classes']
    assert classes == tuple(sorted(classes))
    some = dataset(root, synsets=list(classes[:2]))
    assert 0 < len(some) < len(free) and some.metainfo['classes'] == classes[:2]
    num_boxes = sum(len(some.get_cat_ids(k)) for k in range(len(some)))
    assert f'{len(some)} images with {num_boxes} boxes of 2 of 2 synsets' in said[-1]
    total = sum(len(free.get_data_info(k)['instances']) for k in range(len(free)))
    assert f'{total - num_boxes} boxes of other synsets are ignored' in said[-1]
    # Where nothing is to be found, something may be found wrongly.
    tested = dataset(root, synsets=list(classes[:2]), test_mode=True)
    assert len(tested) == len(free)
    assert sum('gt_label' in tested.get_data_info(k) for k in range(30)) == len(some)


def test_images_may_have_another_ending(root):
    info = dataset(root, suffix='.png').get_data_info(0)
    assert info['img_path'].endswith(f'{info["img_id"]}.png')


def test_files_are_read_again_only_when_their_folder_changed(root, tmp_path):
    folder = tmp_path / 'xml'
    (folder / 'n1').mkdir(parents=True)
    source = next((root / 'Annotations/CLS-LOC/train').rglob('*.xml'))
    (folder / 'n1' / 'a.xml').write_text(source.read_text())
    options = dict(ann_file=str(folder), synsets=None, cache_dir=str(tmp_path / 'kept'))
    assert len(dataset(root, **options)) == 1
    (manifest,) = (tmp_path / 'kept').glob('*/columns.json')
    before = manifest.stat().st_mtime_ns
    assert len(dataset(root, **options)) == 1
    assert manifest.stat().st_mtime_ns == before
    (folder / 'n1' / 'b.xml').write_text(source.read_text())
    found = dataset(root, **options)
    assert len(found) == 2
    # A file that was edited in place is read again, and old columns go.
    text = source.read_text()
    one = text[text.index('<object>') : text.index('</object>') + len('</object>')]
    (folder / 'n1' / 'b.xml').write_text(text.replace(one, one * 2, 1))
    again = dataset(root, **options)
    assert len(again.get_cat_ids(1)) == len(found.get_cat_ids(1)) + 1
    assert len(list((tmp_path / 'kept').glob('*/columns.json'))) == 1


def test_boxes_of_other_synsets_are_no_background(root, tmp_path):
    folder = tmp_path / 'xml'
    folder.mkdir()
    source = next((root / 'Annotations/CLS-LOC/train').rglob('*.xml'))
    text = source.read_text()
    one = text[text.index('<object>') : text.index('</object>') + len('</object>')]
    other = one.replace(source.parent.name, 'n7')
    (folder / 'a.xml').write_text(text.replace(one, one + other, 1))
    options = dict(ann_file=str(folder), cache_dir=str(tmp_path / 'kept'))
    info = dataset(root, **options, synsets=[source.parent.name]).get_data_info(0)
    flags = [one['ignore_flag'] for one in info['instances']]
    assert flags[:2] == [0, 1] and sum(flags) == 1
    only = dataset(root, **options, synsets=['n7'])
    assert only.get_cat_ids(0) == [0] and only.get_data_info(0)['gt_label'] == 0


def test_a_part_of_it_serves_both_tasks(root):
    classes = dataset(root).metainfo['classes']
    counts = np.bincount(
        [dataset(root).get_data_info(k)['gt_label'] for k in range(30)],
        minlength=len(classes),
    )
    gone = classes[int(counts.argmax())]
    part = SubsetDataset(
        dataset(root), exclude_super_category='gone', members=dict(gone=[gone])
    )
    assert len(part) == 30 - counts.max()
    for index in range(len(part)):
        info = part.get_data_info(index)
        assert part.metainfo['classes'][info['gt_label']] == info['img_id'][:9]
        assert {one['bbox_label'] for one in info['instances']} == {info['gt_label']}


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(metainfo=dict(classes=('a',))), 'expected no metainfo, got'),
        (dict(filter_cfg=dict(min_size=3)), 'expected no filter_cfg, got'),
        (dict(ann_file='none'), 'expected a folder of XML files, there is none'),
        (dict(synsets='none.txt'), 'expected lines that begin with a synset'),
        (dict(synsets=['n0']), r"expected XML files with boxes of \('n0',\)"),
    ],
)
def test_what_is_not_there_is_named(root, options, message):
    with pytest.raises(UserError, match=message):
        dataset(root, **options)


def test_a_file_that_cannot_be_read_is_named(root, tmp_path):
    folder = tmp_path / 'xml'
    folder.mkdir()
    (folder / 'a.xml').write_text('<annotation>')
    options = dict(ann_file=str(folder), synsets=None, cache_dir=str(tmp_path / 'kept'))
    with pytest.raises(UserError, match='with a size and boxes, got .*a.xml'):
        dataset(root, **options)
    (folder / 'a.xml').write_text('<annotation></annotation>')
    with pytest.raises(UserError, match='with a size and boxes, got a; look'):
        dataset(root, **options)
