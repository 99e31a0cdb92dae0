"""A report shows what it was given, and nothing that it was given does harm."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdetxfer.errors import UserError
from mmdetxfer.study import report_pictures
from mmdetxfer.study.report import report_html, write_report
from mmdetxfer.study.report_check import unresolved_numbers
from mmdetxfer.study.report_plain import records_csv, table_csv
from mmdetxfer.study.sections import (
    Answer,
    Figure,
    Label,
    Report,
    Section,
    Table,
)

sys.path.insert(0, str(Path(__file__).parent))

from made_up_report import (  # noqa: E402
    EVIL,
    RECORDS,
    SOURCE,
    large_table,
    made_up_report,
)

VOID = {'meta', 'input', 'img', 'br'}


class Outline(HTMLParser):
    """What a page is made of; a tag that closes nothing ends the reading."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]


@pytest.fixture(scope='module')
def html(tmp_path_factory):
    return report_html(made_up_report(tmp_path_factory.mktemp('pictures')))


@pytest.fixture(scope='module')
def outline(html):
    return Outline(html)


def test_all_files_are_written_and_old_tables_go(tmp_path):
    out = tmp_path / 'deep' / 'out'
    (out / 'tables').mkdir(parents=True)
    (out / 'tables' / 'old.csv').write_text('x')
    files = write_report(made_up_report(tmp_path), out)
    names = ['report.html', 'report.md', 'records.csv']
    names += ['tables/small-scores-at-0-5.csv', 'tables/large-sixty.csv']
    assert [str(one.relative_to(out)) for one in files] == names
    assert sorted(out.rglob('*.*')) == sorted(files)
    assert files[-1].read_text() == table_csv(large_table())
    assert files[2].read_text() == records_csv(RECORDS)
    assert 'href="tables/large-sixty.csv"' in files[0].read_text()


def test_tables_with_the_same_title_have_files_of_their_own(tmp_path):
    table = Table('T', ('a',), (((Label('1'),),),))
    blocks = Section('S', (table, table), 's')
    files = write_report(Report('n', 'q', (), (blocks,)), tmp_path)
    assert [one.name for one in files[3:]] == ['s-t.csv', 's-t-2.csv']
    assert 'There is no answer yet' in files[0].read_text()
    assert 'Nothing failed.' in files[0].read_text()
    assert 'Nothing failed.' in files[1].read_text()


def test_every_number_of_the_page_resolves(html):
    assert unresolved_numbers(html, RECORDS) == []
    assert html.count('<data ') == 60 + 2 + 2 + 4


def test_the_page_is_well_formed_and_holds_all_it_needs(outline, html):
    loads = [a.get('src', a.get('href', '')) for _, a, _ in outline.elements]
    assert not [one for one in loads if re.match('(https?:)?//', one)]
    assert not re.search(r'@import|url\(', html)
    assert outline.all('link') == []
    assert all('src' not in attrs for attrs in outline.all('script'))
    ids = [attrs['id'] for _, attrs, _ in outline.elements if 'id' in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs['href'] for attrs in outline.all('a')]
    assert {one[1:] for one in links if one[0] == '#'} <= set(ids)
    for attrs in (a for _, a, _ in outline.elements if 'aria-labelledby' in a):
        assert attrs['aria-labelledby'] in ids


def test_the_page_tells_its_structure_to_those_who_do_not_see_it(outline):
    tables = len(outline.all('table'))
    assert tables == len(outline.all('caption')) == 2
    assert len(outline.all('th')) == 2 * 3 + 63
    assert {attrs['scope'] for attrs in outline.all('th')} == {'col', 'row'}
    images = outline.all('img')
    assert [one['alt'] for one in images] == [f'curve {EVIL}', 'blue', 'empty']
    kinds = [one['src'].partition(';')[0] for one in images]
    assert kinds == ['data:image/png', 'data:image/jpeg', 'data:image/svg+xml']
    assert outline.all('html')[0]['lang'] == 'en'
    heads = [int(tag[1]) for tag, _, _ in outline.elements if re.match('h[1-6]', tag)]
    assert heads[0] == 1 and all(b - a <= 1 for a, b in zip(heads, heads[1:]))  # noqa: B905
    assert {'header', 'main', 'nav'} <= {tag for tag, _, _ in outline.elements}


def test_names_are_text_and_never_markup(outline, html):
    assert len(outline.all('script')) == 1 and '<script>alert' not in html
    assert '&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;' in html


def test_answers_differ_by_what_may_be_claimed(outline, html):
    classes = [one['class'] for one in outline.all('li') if 'class' in one]
    states = ['claim', 'no-difference', 'one-seed', 'not-measured']
    assert classes == [f'answer {state}' for state in states]
    first = html.index('class="answer claim"')
    assert first < html.index('id="contents"') < html.index('id="small"')
    for words in (
        'Difference shown',
        'No difference could be shown',
        'One seed: no claim',
    ):
        assert html.count(f'>{words}<') == 2


def test_published_numbers_name_their_source_and_it_is_listed(html):
    assert f'<span class="published" title="{SOURCE}">84.6</span>' in html
    assert f'<li>{SOURCE}</li>' in html


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(sections=(Section('S', (), 'a b'),)), "and hyphens, not 'a b'"),
        (dict(sections=(Section('S', (), 'failures'),)), "'failures' is already"),
        (dict(sections=(Section('S', (), 'x'),) * 2), "'x' is already taken"),
        (
            dict(sections=(Section('S', (Table('T', ('a',), ((),)),), 's'),)),
            "'T' has 1 columns, a row of it 0 places",
        ),
        (
            dict(answers=(Answer('q', (), (), False, 'sure'),)),
            "one of claim, no difference, one seed, not measured, not 'sure'",
        ),
        (
            dict(answers=(Answer('q', (), (), True, section='x'),)),
            "no section has the key 'x', but small, large",
        ),
    ],
)
def test_reports_that_cannot_be_right_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_report(made_up_report(tmp_path, **change), tmp_path)


def with_figure(path):
    figure = Figure(path, 'c', 'a')
    return Report('n', 'q', (), (Section('S', (figure,), 's'),))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, r'no\.png cannot be read \(No such file'),
        (b'GIF89a', r'no\.png is neither a PNG, a JPEG nor an SVG'),
        (b'\x89PNG\r\n\x1a\n0000', r'no\.png is damaged'),
    ],
)
def test_figures_that_are_none_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'no.png').write_bytes(content)
    with pytest.raises(UserError, match=message):
        write_report(with_figure(tmp_path / 'no.png'), tmp_path)


def test_pictures_that_are_too_large_become_smaller_jpegs(tmp_path, monkeypatch):
    """Noise of 300 x 300: 270 kB as PNG, a fraction of that as a JPEG."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'noise.png')
    report = with_figure(tmp_path / 'noise.png')
    assert 'data:image/png' in report_html(report)
    limit = 250_000
    monkeypatch.setattr(report_pictures, 'LIMIT_BYTES', limit)
    html = report_html(report)
    assert 'data:image/jpeg' in html and len(html) < limit
    monkeypatch.setattr(report_pictures, 'LIMIT_BYTES', 30_000)
    with pytest.raises(UserError, match=r'more than the 0\.0 .*1 pictures.*noise\.png'):
        report_html(report)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(UserError, match='cannot be made'):
        write_report(Report('n', 'q', (), ()), tmp_path / 'out')


def test_a_picture_that_is_shown_twice_counts_twice(tmp_path, monkeypatch):
    """Its 270 kB are 360 kB in the page, twice 720 kB."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'noise.png')
    figure = Figure(tmp_path / 'noise.png', 'c', 'a')
    monkeypatch.setattr(report_pictures, 'LIMIT_BYTES', 600_000)
    once = Report('n', 'q', (), (Section('S', (figure,), 's'),))
    assert 'image/png' in report_html(once)
    twice = Report('n', 'q', (), (Section('S', (figure, figure), 's'),))
    html = report_html(twice)
    assert 'image/png' not in html and len(html) < 600_000


def luminance(colour):
    """WCAG's relative luminance of a colour such as #1c2024."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_every_colour_of_text_has_contrast_on_every_ground(html):
    """4.5 is what WCAG asks for; black on white has 21."""
    assert (luminance('#ffffff') + 0.05) / (luminance('#000000') + 0.05) == 21
    themes = re.findall(r'--paper: [^}]*--bad: #\w+', html)
    # Light, dark by the system, dark by the switch, paper (short colours, on white).
    assert len(themes) == 4 and themes[1].split() == themes[2].split()
    for theme in themes[:2]:
        colours = dict(re.findall(r'--([a-z]+): (#\w{6})', theme))
        for ground in ('paper', 'panel'):
            for name in ('ink', 'soft', 'claim', 'open', 'bad'):
                pair = sorted(luminance(colours[one]) for one in (ground, name))
                assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ground, name)
