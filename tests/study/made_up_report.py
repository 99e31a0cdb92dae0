"""A report with every kind of block and with names that break careless pages."""

from PIL import Image

from mmdetxfer.study.sections import (
    Answer,
    Failure,
    Figure,
    Label,
    Measured,
    Paragraph,
    Published,
    Report,
    Section,
    Table,
)

EVIL = '<script>alert("1")</script> & \'Größe\' | `x` *y*'
LONG = 'Donaudampfschifffahrtsgesellschaft' * 8
SOURCE = 'Li et al. 2019, arXiv 1904.05871, Table 1'
RECORDS = {
    'det "a"': {
        'kind': 'score',
        'value': 0.12345,
        'interval': {'low': -0.0625, 'high': 0.25},
        'seeds': [0.5, 0.75],
        'AP0.5': {'mean': 2},
        'none': None,
        'nan': float('nan'),
        'name': EVIL,
    },
    'cost': {'multiply_adds': 51_234_000_000_000, 'is_done': True},
    **{f'row {place}': {'value': place / 64} for place in range(60)},
}


def measured(field, digits=3, record='det "a"', **options):
    """A number of a record, its value looked up by hand below."""
    values = {
        'value': 0.12345,
        'interval.low': -0.0625,
        'interval.high': 0.25,
        'seeds.1': 0.75,
        'AP0.5.mean': 2,
        'none': None,
        'nan': float('nan'),
        'multiply_adds': 51_234_000_000_000,
    }
    return Measured(record, field, values[field], digits, **options)


def pictures(folder):
    """A PNG, a JPEG and an SVG file."""
    Image.new('RGBA', (900, 300), (200, 30, 30, 128)).save(folder / 'a b.png')
    Image.new('RGB', (40, 30), 'blue').save(folder / 'b.jpg')
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"></svg>'
    (folder / 'c.svg').write_text(svg)
    return [folder / name for name in ('a b.png', 'b.jpg', 'c.svg')]


def small_table():
    """Numbers of all kinds, and what is undefined."""
    signed = dict(is_signed=True)
    rows = (
        ((EVIL,), (measured('value', 1, factor=100.0),), (Published('84.6', SOURCE),)),
        ((LONG,), (measured('none'),), ()),
        (
            ('dét',),
            (
                measured('interval.high', 2, **signed),
                ' (',
                measured('interval.low', 3, **signed),
                ')',
            ),
            (Label('0.5'),),
        ),
    )
    return Table(
        ('Scores at ', Label('0.5')),
        ('candidate', 'AP, %', ('at ', Label('0.7'))),
        rows,
        ('Cost: ', measured('multiply_adds', 0, 'cost', factor=1e-9), '.'),
    )


def large_table():
    """Sixty rows whose scores rise, though their names do not."""
    rows = tuple(
        (
            (f'name {chr(97 + place * 7 % 26)}', Label(f'-{place}')),
            (Measured(f'row {place}', 'value', place / 64, 2),),
            (('odd', 'even')[place % 2 == 0],),
        )
        for place in range(60)
    )
    words = 'Published: a sentence of many words on 1 network, wider than a phone. ' * 2
    note = (Published(words, SOURCE),)
    return Table('Sixty', ('candidate', 'score', 'kind'), rows, note)


def answers():
    """One for each state."""
    line = ('Start from ', EVIL, ': ', measured('value'), '.')
    return (
        Answer(('At ', Label('0.7')), line, ('Three seeds.',), True, section='small'),
        Answer('At low IoU', ('Either.',), ('Same.',), False),
        Answer('Segmentation', (LONG,), ('Unknown noise.',), False, 'one seed'),
        Answer('Classification', ('None.',), ('Failed.',), False, 'not measured'),
    )


def made_up_report(folder, **changes):
    """The report; its pictures lie in a folder."""
    png, jpg, svg = pictures(folder)
    small = (
        Paragraph(('Half: ', measured('AP0.5.mean', 0), ', ', measured('seeds.1', 2))),
        small_table(),
        Figure(png, ('Seen at ', Label('0.5')), f'curve {EVIL}'),
    )
    large = (large_table(), Figure(jpg, 'B', 'blue'), Figure(svg, 'C', 'empty'))
    failure = Failure('det, seed 0', f'KeyError: {EVIL} 17', 'a/1/log', f'No {LONG}')
    settings = dict(
        title=f'made up {EVIL} 2',
        question=('Which of ', Label('3'), f' for {EVIL}?'),
        answers=answers(),
        sections=(Section('Small', small, 'small'), Section('Large', large, 'large')),
        failures=(failure,),
        records=RECORDS,
        commands=('python tools/study.py run a.py --jobs 2', f'echo {EVIL} {LONG}'),
        versions={'torch': '2.11.0', EVIL: LONG},
        notice=('A trial of ', Label('2'), ' minutes.'),
    )
    return Report(**{**settings, **changes})
