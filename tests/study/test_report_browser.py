"""The report in a real browser: nothing fails, nothing overflows, controls work."""

import shutil
import sys
from pathlib import Path

import pytest

from mmdetxfer.study.report import write_report

sys.path.insert(0, str(Path(__file__).parent))

from made_up_report import EVIL, LONG, made_up_report  # noqa: E402

FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
]
COLOUR = 'getComputedStyle(document.body).backgroundColor'


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp('report')
    return write_report(made_up_report(folder), folder / 'out')[0].as_uri()


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api', reason='no playwright')
    path = shutil.which('chromium') or shutil.which('google-chrome')
    if path is None:
        pytest.skip('no Chromium on this machine: the report is not seen by a browser')
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, address):
    """Opens the page; at the end there must have been no error and no loading."""
    contexts, faults = [], []

    def open_page(width=1280, scheme='light'):
        size = {'width': width, 'height': 800}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on('pageerror', lambda error: faults.append(str(error)))
        page.on('console', lambda message: faults.append(message.text))
        page.on('dialog', lambda dialog: faults.append(dialog.message))
        page.on('request', lambda request: loads(request.url))
        page.goto(address)
        return page

    def loads(url):
        if url.partition('#')[0] != address and not url.startswith('data:'):
            faults.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [360, 1280])
def test_nothing_overflows_the_page(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    wide = '[...document.querySelectorAll("main p, h1, h2, h3, dl, .scroll, .plate")]'
    reach = f'Math.max(...{wide}.map(one => one.getBoundingClientRect().right))'
    assert page.evaluate(reach) <= width
    light = page.evaluate(COLOUR) == 'rgb(253, 252, 249)'
    assert light == (scheme == 'light')


def test_the_answers_come_before_all_else(opened):
    page = opened()
    box = page.locator('.answer').first.bounding_box()
    assert box['y'] + box['height'] < 800
    assert page.locator('h1').inner_text() == f'Which of 3 for {EVIL}?'
    assert LONG in page.locator('.answer.one-seed').inner_text()


def test_the_switch_changes_the_theme_and_is_remembered(opened):
    page = opened()
    before = page.evaluate(COLOUR)
    page.get_by_role('button', name='Dark').click()
    dark = page.evaluate(COLOUR)
    page.reload()
    assert page.evaluate(COLOUR) == dark != before
    page.get_by_role('button', name='Dark').click()
    assert page.evaluate(COLOUR) == before


def column(page, place, section='#large'):
    cells = f'[...document.querySelectorAll("{section} tbody tr")]'
    return page.evaluate(f'{cells}.map(row => row.cells[{place}].textContent)')


def test_heads_sort_by_mouse_and_keyboard(opened):
    """Scores from 0 to 59/64 as they came; the first click has the largest first."""
    page = opened()
    original = column(page, 0)
    button = page.locator('#large thead button').nth(1)
    head = page.locator('#large thead th').nth(1)
    button.click()
    assert head.get_attribute('aria-sort') == 'descending'
    scores = list(map(float, column(page, 1)))
    assert scores[0] == 0.92 and scores == sorted(scores, reverse=True)
    button.focus()
    page.keyboard.press('Enter')
    assert head.get_attribute('aria-sort') == 'ascending'
    assert column(page, 1)[0] == '0.00'
    page.keyboard.press('Space')
    assert head.get_attribute('aria-sort') is None and column(page, 0) == original
    page.locator('#large thead button').first.click()
    names = column(page, 0)
    assert names[0].startswith('name a') and names[-1].startswith('name z')
    # What is undefined stays last, whichever way.
    button = page.locator('#small thead button').nth(1)
    for first in ('12.3', '+0.25'):
        button.click()
        texts = column(page, 1, '#small')
        assert texts[0].startswith(first) and texts[-1] == '–'


def test_search_filters_rows_and_sections(opened):
    """Half of the rows are odd; a title finds its whole section."""
    page = opened()
    field = page.get_by_role('searchbox')
    field.fill('sixty')
    assert page.locator('#large tbody tr:visible').count() == 60
    field.fill('ODD name')
    assert page.locator('#large tbody tr:visible').count() == 30
    assert not page.locator('#small').is_visible()
    found = page.locator('.found')
    assert found.inner_text() == 'Found: 0 answers, 1 section, 30 rows'
    assert not page.locator('.answers').is_visible()
    field.fill('either')
    assert page.locator('.answer:visible').count() == 1
    assert found.inner_text() == 'Found: 1 answer, 0 sections, 0 rows'
    field.fill('small')
    assert page.locator('#small tbody tr:visible').count() == 3
    field.fill('nowhere at all')
    assert found.inner_text() == 'Nothing found'
    page.evaluate('location.hash = "large"')
    page.wait_for_function('!document.querySelector("#large").hidden')
    assert field.input_value() == ''
    field.fill('odd')
    field.press('Escape')
    assert page.locator('#large tbody tr:visible').count() == 60
    assert page.locator('.answer:visible').count() == 4


def test_numbers_say_where_they_come_from_and_print_shows_all(opened):
    page = opened()
    assert not page.locator('.origin').is_visible()
    page.locator('#small data').first.click()
    words = 'AP0.5.mean = 2 in record det "a"'
    assert page.locator('.origin').inner_text() == words
    page.locator('#small td .published').click()
    assert 'Table 1' in page.locator('.origin').inner_text()
    page.locator('h1').click()
    assert not page.locator('.origin').is_visible()
    page.get_by_role('searchbox').fill('odd')
    page.emulate_media(media='print')
    assert page.locator('#large tbody tr:visible').count() == 60
    assert page.locator('#small').is_visible()
    assert page.locator('.answer:visible').count() == 4
    assert not page.locator('.controls').is_visible()
