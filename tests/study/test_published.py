"""What the papers published stands in one file with its source."""

import re

import pytest

from mmdetxfer.study.published import as_fraction, published_tables
from mmdetxfer.study.report_check import numbers_in
from mmdetxfer.study.sections import Published

LI = 'Li et al. 2019, arXiv 1904.05871, '


@pytest.mark.parametrize(
    ('place', 'text', 'source'),
    [
        (('li2019/table1', 'OpenImages', 'AP70'), '81.1', LI + 'Table 1'),
        (('li2019/table2', 'Loc without the category', 'animals'), '83.95', 'Table 2'),
        (('li2019/table3', 'ImageNet-Cls', 'medium'), '15.7', LI + 'Table 3'),
        (('li2019/table4', 'ImageNet-Loc', 'mIoU'), '78.3', LI + 'Table 4'),
        (('li2019/table5', 'ConvProj, 4x4', 'top-1'), '72.4', LI + 'Table 5'),
        (('li2019/table6', 'OpenImages', 'SUN-397'), '51.1', LI + 'Table 6'),
        (('li2019/table7', 'Loc', 'Caltech-256'), '82.3', LI + 'Table 7'),
        (('li2019/table8', 'COCO', 'Flowers'), '91.4', LI + 'Table 8'),
        (('li2019/pre-trainings', 'COCO', 'COCO test-dev'), '46.1', LI + 'text'),
        (('sniper/coco', 'MobileNetV2', 'AP50'), '54.4', 'README'),
    ],
)
def test_numbers_are_found_with_their_source(place, text, source):
    table, row, column = place
    number = published_tables()[table].rows[row][column]
    assert isinstance(number, Published)
    assert number.text == text and source in number.source


def test_every_table_of_the_paper_is_there_and_every_place_is_a_number():
    tables = published_tables()
    assert [f'li2019/table{n}' for n in range(1, 9)] == list(tables)[:8]
    for table in tables.values():
        numbers = [one for row in table.rows.values() for one in row.values()]
        assert numbers and all(numbers_in(one.text) for one in numbers)
        assert re.search('arXiv 1904.05871|mahyarnajibi/SNIPER', table.source)
    # Tables 1 to 8: 12, 6, 4, 4, 7, 6, 6 and 12 numbers.
    counts = [sum(map(len, one.rows.values())) for one in list(tables.values())[:8]]
    assert counts == [12, 6, 4, 4, 7, 6, 6, 12]


@pytest.mark.parametrize(
    ('text', 'expected'),
    [('84.6', '0.846'), ('45', '0.45'), ('87.20', '0.8720'), ('+0.7', '+0.007')],
)
def test_per_cent_become_parts_of_one_in_all_their_digits(text, expected):
    assert as_fraction(Published(text, LI)) == Published(expected, LI)


def test_columns_are_those_of_a_target_and_of_all_its_images():
    table = published_tables()['li2019/table7']
    assert list(table.of('voc07', 1.0).columns) == ['AP50', 'AP70']
    assert list(table.of('caltech256', 1.0).columns) == ['Caltech-256']
    assert table.of('voc07', 0.1) is None and table.of('coco', 1.0) is None


def test_places_without_a_number_are_none():
    assert list(published_tables()['sniper/coco'].rows['AutoFocus']) == ['AP']
