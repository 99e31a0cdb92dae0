"""The occlusion files against a reader of their own and against published lines.

The reader follows the MATLAB code of Hoiem et al. (``updateRecordAnnotations``): it
counts the objects of a class that are not difficult and takes its columns from both
ends of the row. The expected objects are drawn again.
"""

from xml.etree import ElementTree

import numpy as np
import pytest

from mmdetxfer.worlds import occlusion, voc
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 2
NUM_IMAGES = 60
# Published parts of each class, facts of Hoiem et al.; five sides but for the table.
NUM_PARTS = {
    'aeroplane': 4,
    'bicycle': 4,
    'bird': 6,
    'boat': 6,
    'cat': 5,
    'chair': 4,
    'diningtable': 2,
}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'occlusion'
    counts = occlusion.write(folder, {'test': NUM_IMAGES}, SEED)
    objects = sum(len(drawn_objects(name)) for name in NUM_PARTS)
    assert counts == {'test': dict(images=NUM_IMAGES, instances=objects)}
    return folder


SCENES = [
    draw_scene(stream_seed(SEED, 'voc2007', 'test'), index, 'target')
    for index in range(NUM_IMAGES)
]


def drawn_objects(name):
    return [
        item
        for scene in SCENES
        for item in scene.objects
        if category_of(item.category).voc == name and not item.is_difficult
    ]


def read_as_matlab(path):
    """Return one row of numbers an object, as readGtData makes them."""
    lines = path.read_bytes().decode().split('\r\n')
    assert lines.pop() == ''
    assert not any('\n' in line for line in lines)
    rows = [[float(word) for word in line.split()] for line in lines[1:]]
    columns = len(lines[0].split())
    assert all(len(row) == columns for row in rows)
    assert all(len(line.split('\t')) == 6 for line in lines[1:])
    return np.array(rows).reshape(-1, columns)


def test_there_is_a_file_for_each_of_the_seven_classes_and_no_other(root):
    names = [path.name for path in root.glob('*.txt')]
    assert sorted(names) == sorted(f'gt_ved_{name}.txt' for name in NUM_PARTS)


@pytest.mark.parametrize('name', NUM_PARTS)
def test_row_n_is_the_nth_object_that_is_not_difficult(root, name):
    data = read_as_matlab(root / f'gt_ved_{name}.txt')
    objects = drawn_objects(name)
    assert len(objects) >= 5
    sizes = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (o.box for o in objects)]
    assert data[:, -2].tolist() == sizes
    assert data[:, 2].tolist() == [item.occlusion for item in objects]
    ratios = [(b[2] - b[0]) / (b[3] - b[1]) for b in (o.box for o in objects)]
    np.testing.assert_allclose(data[:, -1], ratios, atol=5.1e-4)
    assert not data[:, :2].any()


def test_the_rows_are_in_step_with_the_devkit_that_the_voc_writer_makes(tmp_path):
    """As the MATLAB code checks it: by the size, object by object, through test.txt."""
    sizes = {'train': 2, 'val': 2, 'test': 20}
    devkit = tmp_path / 'VOC2007'
    voc.write_voc2007(devkit, sizes, SEED)
    occlusion.write(tmp_path / 'occlusion', {'test': 20}, SEED)
    ids = (devkit / 'ImageSets' / 'Main' / 'test.txt').read_text().split()
    trees = [ElementTree.parse(devkit / 'Annotations' / f'{i}.xml') for i in ids]
    num_rows = 0
    for name in NUM_PARTS:
        data = read_as_matlab(tmp_path / 'occlusion' / f'gt_ved_{name}.txt')
        found = []
        for item in [item for tree in trees for item in tree.getroot().iter('object')]:
            if item.findtext('name') == name and item.findtext('difficult') == '0':
                corners = [f'bndbox/{key}' for key in ('xmin', 'ymin', 'xmax', 'ymax')]
                x1, y1, x2, y2 = (int(item.findtext(corner)) for corner in corners)
                occluded = item.findtext('occluded') == '1'
                found.append([occluded, (x2 - x1 + 1) * (y2 - y1 + 1)])
        assert [[row[2] > 0, row[-2]] for row in data] == found
        num_rows += len(found)
    assert num_rows > 40


@pytest.mark.parametrize('name', NUM_PARTS)
def test_parts_and_sides_have_the_columns_of_the_class(root, name):
    """All parts are set; 'side' is v1 of a table, v5 of a bicycle, v4 of the others."""
    data = read_as_matlab(root / f'gt_ved_{name}.txt')
    if name == 'diningtable':
        parts, sides = data[:, 3:5], data[:, 5:7]
        expected = [1, 0]
    else:
        parts, sides = data[:, 3:-7], data[:, -7:-2]
        expected = [0, 0, 0, 0, 1] if name == 'bicycle' else [0, 0, 0, 1, 0]
    assert parts.shape[1] == NUM_PARTS[name] and parts.all()
    assert (sides == expected).all()


def test_all_four_levels_and_difficult_objects_occur_in_the_drawn_test_set():
    objects = [item for name in NUM_PARTS for item in drawn_objects(name)]
    assert {item.occlusion for item in objects} == {0, 1, 2, 3}
    assert any(item.is_difficult for scene in SCENES for item in scene.objects)


def test_headers_are_the_published_ones():
    start, end = 'det\tconf\tocc\t', ' size\tratio(w/h)'
    assert occlusion.header('aeroplane') == f'{start}p1 p2 p3 p4 v1 v2 v3 v4 v5{end}'
    assert occlusion.header('bird') == f'{start}p1 p2 p3 p4 p5 p6 v1 v2 v3 v4 v5{end}'
    assert occlusion.header('diningtable') == f'{start}p1 p2 v1 v2{end}'


def test_size_and_ratio_of_a_published_row_come_out():
    """The first aeroplane: size 56573 = 407 x 139, ratio 2.942 = 406 / 138.

    With 1 added in the ratio as in the size it would be 407 / 139 = 2.928.
    """
    row = occlusion.object_row('aeroplane', 0, (0, 0, 406, 138))
    assert row == '0\t0\t0\t1 1 1 1 0 0 0 1 0\t56573\t2.942'


def test_a_strip_of_one_row_has_matlabs_infinite_ratio():
    assert occlusion.object_row('cat', 3, (4, 7, 9, 7)).endswith('\t6\tInf')
    assert occlusion.object_row('cat', 3, (4, 7, 4, 7)).endswith('\t1\tNaN')


def test_another_split_than_test_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"for the split 'test', got \['train'\]"):
        occlusion.write(tmp_path, {'train': 3}, SEED)
