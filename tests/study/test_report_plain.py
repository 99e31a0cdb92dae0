"""Numbers as they are shown, tables as CSV, a report as Markdown: all by hand."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from mmdetxfer.study.report_plain import markdown, records_csv, table_csv
from mmdetxfer.study.report_text import cell_text, exact, shown, slug, sort_key
from mmdetxfer.study.sections import Label, Measured, Published

sys.path.insert(0, str(Path(__file__).parent))

from made_up_report import EVIL, LONG, made_up_report, small_table  # noqa: E402


@pytest.mark.parametrize(
    ('value', 'options', 'expected'),
    [
        (0.12345, dict(digits=3), '0.123'),
        (0.12345, dict(digits=1, factor=100.0), '12.3'),
        (0.25, dict(digits=2, is_signed=True), '+0.25'),
        (-0.0625, dict(digits=3), '−0.062'),
        (51_234e9, dict(digits=0, factor=1e-9), '51\u202f234'),
        (9999, dict(digits=0), '9999'),
        (None, {}, '–'),
        (float('nan'), {}, '–'),
        (float('inf'), {}, '–'),
    ],
)
def test_numbers_are_shown_in_their_digits(value, options, expected):
    """-0.0625 lies between two: half to even."""
    assert shown(Measured('r', 'f', value, **options)) == expected


def test_the_exact_value_gives_the_same_number_again():
    assert exact(Measured('r', 'f', 0.1)) == '0.1'
    assert exact(Measured('r', 'f', np.float64(1 / 3))) == repr(1 / 3)
    assert exact(Measured('r', 'f', 7)) == '7'
    assert exact(Measured('r', 'f', None)) == ''


def test_places_of_tables_are_sorted_by_the_number_they_begin_with():
    assert sort_key((Measured('r', 'f', 0.5, factor=100.0), ' (', 'x')) == '50.0'
    assert sort_key((Published('84.6', 's'),)) == '84.6'
    assert sort_key((Label('−3 %'),)) == '-3'
    assert sort_key(('12 apples',)) == sort_key(()) == sort_key((Label('a'),)) == ''
    assert sort_key((Measured('r', 'f', None),)) == ''


def test_numbers_alone_stand_in_csv_in_full_and_others_as_shown():
    assert cell_text((Measured('r', 'f', 0.12345, 1, 100.0),)) == '12.345'
    assert cell_text((Measured('r', 'f', None),)) == ''
    line = (Measured('r', 'f', -0.5, 1), ' of ', Measured('r', 'f', 51234, 0))
    assert cell_text(line) == '-0.5 of 51234'


def test_file_names_of_titles_are_plain():
    """Umlauts lose their dots; letters without a plain form are left out."""
    assert slug('Größe: a/b, <AP50>') == 'groe-a-b-ap50'
    assert slug('…') == 'table' and len(slug('word ' * 40)) <= 60


def test_csv_has_heads_rows_and_full_numbers():
    rows = list(csv.reader(io.StringIO(table_csv(small_table()))))
    assert rows == [
        ['candidate', 'AP, %', 'at 0.7'],
        [EVIL, '12.345', '84.6'],
        [LONG, '', ''],
        ['dét', '+0.25 (-0.062)', '0.5'],
    ]


def test_records_become_columns_with_dots():
    text = records_csv({'a': {'x': 1, 'in': {'low': None}}, 'b': {'x': [1, 'ü']}})
    assert text == 'record,x,in.low\na,1,null\nb,"[1, ""ü""]",\n'


def test_markdown_says_the_same(tmp_path):
    text = markdown(made_up_report(tmp_path), tmp_path / 'out')
    evil = '\\<script\\>alert("1")\\</script\\> \\& \'Größe\' \\| \\`x\\` \\*y\\*'
    lines = text.splitlines()
    assert lines[0] == f'# Which of 3 for {evil}?'
    assert '> A trial of 2 minutes.' in lines
    assert f'Start from {evil}: 0.123.' in lines
    assert '**Difference shown.** Three seeds.' in lines
    assert '**No difference could be shown.** Same.' in lines
    assert '**One seed: no claim.** Unknown noise.' in lines
    assert '**Not measured.** Failed.' in lines
    place = lines.index('| candidate | AP, % | at 0.7 |')
    assert lines[place + 1] == '| --- | --- | --- |'
    assert lines[place + 2] == f'| {evil} | 12.3 | 84.6 |'
    assert lines[place + 4] == '| dét | +0.25 (−0.062) | 0.5 |'
    assert lines[place + 6] == 'Cost: 51\u202f234.'
    assert f'![curve {evil}](../a%20b.png)' in lines and '*Seen at 0.5*' in lines
    assert '- **det, seed 0**: `` KeyError: ' + EVIL + ' 17 ``' in text
    assert 'python tools/study.py run a.py --jobs 2' in lines
    assert '| torch | 2.11.0 |' in lines
