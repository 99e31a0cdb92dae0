"""Raw VOC and COCO files are read with everything that the hosts would leave out."""

import json

import numpy as np
import pytest

from mmdetxfer.datasets.annotation_files import (
    listed_coco_classes,
    read_coco,
    read_voc,
    why,
)
from mmdetxfer.datasets.audit import AuditTable, Reason

OBJECT = (
    '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
    '<ymax>{}</ymax></bndbox></object>'
)
SIZE = '<size><width>100</width><height>50</height></size>'


def found_in(table: AuditTable) -> dict:
    return {reason: (count, examples) for reason, count, examples in table.rows()}


@pytest.fixture
def voc(tmp_path):
    """Write XML files (their inner part) and read them."""

    def read(*inner: str, with_boxes: bool = True):
        files = []
        for index, text in enumerate(inner):
            xml = tmp_path / f'{index}.xml'
            xml.write_text(f'<annotation>{text}</annotation>')
            files.append((f'{index}.jpg', str(xml)))
        table = AuditTable()
        return read_voc(files, table, 'train', with_boxes), found_in(table)

    return read


def test_voc_objects_come_with_unknown_names_and_corners_less_1(voc):
    box = OBJECT.format('dog', 1, 2, '30.5', 40)
    found, problems = voc(SIZE + box + OBJECT.format('tram', 9, 9, 9, 9), SIZE)
    assert problems == {}
    assert found.image_paths == ['0.jpg', '1.jpg']
    assert found.image_sizes.tolist() == [[100, 50], [100, 50]]
    assert [found.class_names[k] for k in found.object_classes] == ['dog', 'tram']
    assert found.object_images.tolist() == [0, 0]
    assert found.boxes.tolist() == [[0, 1, 29.5, 39], [8, 8, 8, 8]]
    assert found.listed_classes is None


def test_a_voc_file_may_leave_out_its_size_and_labels_need_no_box(voc):
    found, problems = voc('<object><name>dog</name></object>', with_boxes=False)
    assert problems == {} and found.boxes is None
    assert np.isnan(found.image_sizes).all()
    assert found.class_counts() == {'dog': 1}


@pytest.mark.parametrize(
    ('inner', 'said'),
    [
        ('<object></object>', '<object> without <name>'),
        (OBJECT.format(' ', 1, 2, 3, 4), '<object> without <name>'),
        ('<object><name>a</name></object>', '<object> without <bndbox/xmin>'),
        (OBJECT.format('a', 1, 'x', 3, 4), "could not convert string to float: 'x'"),
        ('<size></size>', '<annotation> without <size/width>'),
        ('<object>', 'mismatched tag: line 1, column 22'),
    ],
)
def test_a_broken_voc_file_is_a_finding_and_its_image_stays(voc, inner, said):
    found, problems = voc(inner, SIZE)
    count, (example,) = problems[Reason.ANNOTATION]
    assert count == 1 and example.startswith('train: ') and example.endswith(said)
    assert found.image_paths == ['0.jpg', '1.jpg']


def test_a_missing_voc_file_is_a_finding():
    table = AuditTable()
    found = read_voc([('a.jpg', '/none/a.xml')], table, 'val', True)
    example = 'val: /none/a.xml: No such file or directory'
    assert found_in(table) == {Reason.ANNOTATION: (1, [example])}
    assert found.image_paths == ['a.jpg'] and len(found.object_images) == 0


CATEGORIES = [dict(id=3, name='dog'), dict(id=1, name='cat'), dict(id=2, name='cow')]


def annotation(one, image=5, category=3, box=(1, 2, 10, 20), **more):
    box = list(box) if box is not None else None
    return dict(id=one, image_id=image, category_id=category, bbox=box, **more)


@pytest.fixture
def coco(tmp_path):
    """Write a COCO file and read it for the classes cat and dog."""

    def read(*annotations, classes=('cat', 'dog'), **changes):
        content = dict(
            images=[dict(id=5, file_name='x.jpg', width=100, height=50), dict(id=6)],
            annotations=annotations,
            categories=CATEGORIES,
        )
        content['images'][1]['coco_url'] = 'scheme://host/val2017/y.jpg'
        file = tmp_path / 'all.json'
        file.write_text(json.dumps({**content, **changes}))
        table = AuditTable()
        return read_coco(str(file), '/images', classes, table, 'train'), found_in(table)

    return read


def test_coco_objects_come_with_all_that_readers_drop(coco):
    """Crowds, ignored, flat and unknown objects are there, as corners."""
    found, problems = coco(
        annotation(1, iscrowd=1),
        annotation(2, category=2, ignore=1),
        annotation(3, category=99, box=(5, 5, 0, -3)),
    )
    assert problems == {}
    assert found.image_paths == ['/images/x.jpg', '/images/val2017/y.jpg']
    assert found.image_sizes[0].tolist() == [100, 50]
    assert np.isnan(found.image_sizes[1]).all()
    names = [found.class_names[k] for k in found.object_classes]
    assert names == ['dog', 'cow', 'category id 99']
    assert found.boxes.tolist() == [[1, 2, 11, 22], [1, 2, 11, 22], [5, 5, 5, 2]]


def test_the_files_of_lvis_are_named_as_its_readers_do(coco):
    """Version 1 gives addresses (see above), 0.5 the names of COCO 2014."""
    name = 'COCO_val2014_000000000042.jpg'
    old = dict(id=5, file_name=name, neg_category_ids=[])
    found, _ = coco(images=[old, dict(id=6, file_name=name)])
    assert found.image_paths == ['/images/000000000042.jpg', f'/images/{name}']


def test_coco_classes_are_listed_in_the_order_of_the_file_that_labels_follow(coco):
    assert coco()[0].listed_classes == ['dog', 'cat']
    assert coco(classes=('cow', 'cat'))[0].listed_classes == ['cat', 'cow']


def test_ids_of_coco_files_are_checked(coco):
    _, problems = coco(annotation(0), annotation(4), annotation(4))
    assert problems[Reason.REPEATED_ID][0] == 1 and problems[Reason.ZERO_ID][0] == 1
    _, problems = coco(categories=[*CATEGORIES, CATEGORIES[0]])
    assert problems[Reason.REPEATED_ID][1] == ['train: category id 3 occurs 2 times']
    image = dict(id=5, file_name='x.jpg')
    _, problems = coco(images=[image, image])
    assert problems[Reason.REPEATED_ID][1] == ['train: image id 5 occurs 2 times']


def test_coco_objects_that_cannot_be_placed_are_findings(coco):
    no_box = annotation(3)
    del no_box['bbox']
    found, problems = coco(
        annotation(1, image=77), annotation(2, box=(1, 2)), no_box, annotation(4)
    )
    count, examples = problems[Reason.ANNOTATION]
    assert count == 3 and len(found.object_images) == 1
    assert examples[0].endswith('annotation 1: image id 77 is not among the images')
    assert 'annotation 2: not enough values' in examples[1]
    assert examples[2].endswith("annotation 3: no 'bbox'")


def test_objects_of_a_panoptic_file_are_its_segments(coco):
    segment = dict(id=8, category_id=1, bbox=[0, 0, 4, 4])
    found, problems = coco(dict(image_id=6, segments_info=[segment]))
    assert problems == {} and found.object_images.tolist() == [1]
    assert found.class_counts() == {'cat': 1}


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (dict(images=[dict(file_name='x.jpg')]), "no 'id'"),
        (dict(images=[dict(id=1)]), "no 'coco_url'"),
        (dict(categories=[dict(id=1)]), "no 'name'"),
        (dict(images=None), "'NoneType' object is not iterable"),
        (dict(images=['x.jpg']), "'str' object has no attribute 'get'"),
    ],
)
def test_a_coco_file_of_another_form_is_a_finding(coco, changes, said):
    found, problems = coco(**changes)
    assert len(found.image_paths) == 0
    assert problems[Reason.ANNOTATION][1][0].endswith(f'all.json: {said}')


def test_a_coco_file_that_is_no_json_or_missing_is_a_finding(tmp_path):
    (tmp_path / 'bad.json').write_text('{"images": [')
    for name, said in (('bad.json', 'Expecting value'), ('none.json', 'No such file')):
        table = AuditTable()
        found = read_coco(str(tmp_path / name), '', (), table, 'train')
        assert said in found_in(table)[Reason.ANNOTATION][1][0]
        assert found.image_paths == [] and found.boxes is not None


def test_coco_categories_are_found_without_parsing_the_rest(tmp_path):
    """The rest is no JSON here; an info text may hold the word too."""
    file = tmp_path / 'all.json'
    listed = json.dumps(CATEGORIES)
    file.write_text('{"categories": 1, "images": [...], "categories": ' + listed + '}')
    assert listed_coco_classes(str(file)) == ['dog', 'cat', 'cow']


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{}',
        '{"categories": null}',
        '{"categories": [1]}',
        '{"categories": [{"id": 1',
    ],
)
def test_a_file_without_a_list_of_categories_lists_none(tmp_path, text):
    file = tmp_path / 'all.json'
    file.write_text(text)
    assert listed_coco_classes(str(file)) == []
    assert listed_coco_classes(str(tmp_path / 'none.json')) == []


def test_errors_are_said_in_one_line():
    assert why(FileNotFoundError(2, 'No such file', 'x')) == 'No such file'
    assert why(KeyError('name')) == "no 'name'"
    assert why(ValueError('first\nsecond')) == 'first'
    assert why(ValueError()) == 'ValueError'
