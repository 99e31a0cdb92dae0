"""The check of a report's numbers finds what it is there for."""

import pytest

from mmdetxfer.study.report_check import numbers_in, unresolved_numbers

RECORDS = {
    'a': {'x': 0.125, 'in': {'low.b': -2.5}, 'list': [{'y': 7}], 'none': None},
    'b': {'name': 'n', 'is': True, 'big': 12345.678, 'nan': float('nan')},
}


def data(shown='0.125', value='0.125', record='a', field='x', factor='1.0', digits=3):
    return (
        f'<p><data value="{value}" data-record="{record}" data-field="{field}" '
        f'data-factor="{factor}" data-digits="{digits}">{shown}</data></p>'
    )


@pytest.mark.parametrize(
    'html',
    [
        data(),
        # Half to even and half up are both right.
        data('0.12', digits=2),
        data('0.13', digits=2),
        data('12.5', factor='100.0', digits=1),
        data('+0.125'),
        data('−2.5', '-2.5', field='in.low.b', digits=1),
        data('7', '7', field='list.0.y', digits=0),
        data('12\u202f346', '12345.678', 'b', 'big', digits=0),
        data('–', '', field='none'),
        data('–', '', 'b', 'nan'),
        '<head><title>5</title><style>p { margin: 3px 4 }</style></head>',
        '<script>let a = 5;</script><img alt="7" width="3"><br>',
        '<p class="a axis">0.5 <b>7</b></p><p class="version">1.2.3</p>',
        '<p class="published" title="paper">84.6</p>',
        '<p>AP50 of Conv5, Caltech-256, 1x1, 8×8, ResNet-18: r18-c5_1xb32-200i</p>',
        '<p>three of mAP@.5, v2, C4+C5, 32-bit, &lt;AP70&gt;, 3rd</p>',
    ],
)
def test_numbers_with_an_origin_and_names_are_well(html):
    assert unresolved_numbers(html, RECORDS) == []


@pytest.mark.parametrize(
    ('html', 'message'),
    [
        ('<p>It gains 0.5 points.</p>', "'0.5' in 'It gains 0.5 points.' names no"),
        ('<p>of <b>2019</b></p>', "'2019' in '2019' names no record"),
        ('<p>lr=0.01</p>', "'0.01' in"),
        ('<p>nought.<i>5</i></p>', "'5' in '5'"),
        ('<p class="axisx">7</p>', "'7' in '7'"),
        ('<p title="7" class="published">7</p>8', "'8' in '8'"),
        ('<br class="axis">7', "'7' in '7'"),
        ('<span class="axis"/>7', '<span> is never closed'),
        ('<p class="axis">7</b></p>', '</b> closes nothing'),
        ('<p class="published" title=" ">84.6</p>', "published '84.6' has no source"),
        (data(record='c'), "'0.125' ('x' of 'c'): there is no such record"),
        (data(field='y'), "('y' of 'a'): the record has no such field"),
        (data(field='in.low'), 'the record has no such field'),
        (data(field='list.1.y'), 'the record has no such field'),
        (data(value='0.126'), "the record has 0.125, not '0.126'"),
        (data(value='much'), "the record has 0.125, not 'much'"),
        (data(value=''), "the record has 0.125, not ''"),
        (data('0.126'), '0.125 times 1.0 is 0.125'),
        (data('0.11', digits=2), '0.125 times 1.0 is 0.125'),
        (data('0.14', digits=2), '0.125 times 1.0 is 0.125'),
        (data('-0.125'), '0.125 times 1.0 is 0.125'),
        (data('12.5', factor='10.0', digits=1), 'times 10.0 is 1.25'),
        (data('0.13', digits=3), '3 digits after the point were stated'),
        (data('0.13', digits=''), 'is no number'),
        (data('much'), 'is no number'),
        (data(factor='x'), 'is no number'),
        (data(field='none'), 'it is undefined in the record'),
        (data('n', 'n', 'b', 'name'), "the record has no number there but 'n'"),
        (data('1', '1', 'b', 'is', digits=0), 'no number there but True'),
        ('<data>5</data>', "('' of ''): there is no such record"),
    ],
)
def test_what_cannot_be_followed_is_found(html, message):
    (problem,) = unresolved_numbers(html, RECORDS)
    assert message in problem


def test_each_is_told_in_the_order_of_the_page():
    problems = unresolved_numbers('<p>1</p>' + data(record='c') + '<p>2</p>', RECORDS)
    assert [one.split()[0] for one in problems] == ["'1'", "'0.125'", "'2'"]


def test_numbers_are_told_from_names():
    text = '−3.1 10% 10 (0.3), 0.1–0.5 3-5 1,600 1e-3 2.5x 12GB 3.5-fold 0.5/0.7 n=4'
    expected = '−3.1 10% 10 0.3 0.1–0.5 3-5 1,600 1e-3 2.5x 12GB 3.5-fold 0.5 0.7 4'
    assert numbers_in(text) == expected.split()
    assert numbers_in('AP50 4-th Conv5 1x1 8×8×3 a1 1xb32-200i e7 II') == []
