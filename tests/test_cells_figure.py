"""The picture of a study's cells."""

from mmdetxfer.plots import draw_cells
from mmdetxfer.plots.cells import depths_of


def test_a_cell_stands_behind_all_that_it_needs():
    """b needs a; d needs b and c: two stand before d on the longest way."""
    needs = dict(a=(), b=('a',), c=(), d=('b', 'c'))
    assert depths_of(needs) == dict(a=0, b=1, c=0, d=2)


def test_the_picture_has_every_cell(tmp_path):
    nodes = {k: (f'cell {k}', ('a',) if k != 'a' else ()) for k in 'abc'}
    path = tmp_path / 'cells.svg'
    draw_cells(nodes, ['a'], path)
    text = path.read_text()
    assert all(f'<!-- cell {k} -->' in text for k in 'abc')
    draw_cells(nodes, [], tmp_path / 'cells.png')
    assert (tmp_path / 'cells.png').stat().st_size > 1000
