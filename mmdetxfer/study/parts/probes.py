"""Linear probes of frozen layers: what a pre-training knows, and where it is lost."""

from collections.abc import Callable

from mmdetxfer.study.parts.paper import paper_table
from mmdetxfer.study.parts.paper_layout import layout_table
from mmdetxfer.study.parts.part import difference_line, interval_note, with_interval
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import (
    Block,
    Figure,
    Label,
    Line,
    Section,
    Table,
    Text,
)


class ProbesPart:
    """Tables 5 and 6 of Li et al. 2019, and accuracy against objects in the image."""

    name = 'probes'
    tasks = ()
    needs_probes = True

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all targets."""
        one = results.probes()
        if one is None:
            return []
        blocks: list[Block] = []
        for target in results.study.probes['targets']:
            blocks.append(_candidates(one, target))
            for name in one.seeds:
                blocks.append(_layers(one, target, name))
                blocks += _layers_less_the_main_one(one, target, name)
        for name, more in (('table6', one.seeds), ('table5', ())):
            published = paper_table(results, name)
            if published is not None:
                blocks += layout_table(published, lambda _: one, more)
        for stem, words in (
            ('layers', 'Top-1 of linear probes against the depth of the layer.'),
            ('objects', 'Top-1 against the number of objects, and their share.'),
        ):
            path = one.figures / f'{stem}.png'
            if path.is_file():
                blocks.append(Figure(path, words, words))
        return [Section('Linear probes of frozen layers', tuple(blocks), self.name)]


def _candidates(one: Compared, target: str) -> Table:
    own = dict(table='probes', target=target, score='top-1', group='all')
    lines = []
    for name in one.seeds:
        mean = one.rows('means', candidate=name, **own)
        less = one.rows('differences', candidate=name, **own)
        lines.append(
            (
                (name,),
                with_interval(mean[0]) if mean else ('–',),
                difference_line(less[0]) if less else ('–',),
            )
        )
    layer = one.rows('means', **own)[0]['layer']
    title = ('Candidates at ', Label(layer), ' on ', Label(target), ': top-1')
    head = ('candidate', (Label('top-1'),), f'less {one.baseline}')
    return Table(title, head, tuple(lines), interval_note(one))


def _layers(one: Compared, target: str, name: str) -> Table:
    """Return every layer and pooling of a candidate: none is chosen on test."""
    rows = one.rows('means', **_of_layers(target, name))
    title = ('Layers of ', name, ' on ', Label(target), ': top-1')
    return _by_pooling(one, title, rows, with_interval)


def _layers_less_the_main_one(one: Compared, target: str, name: str) -> list[Table]:
    """Return what is lost or gained against the main layer; one layer loses none."""
    rows = one.rows('differences', **_of_layers(target, name))
    if not rows:
        return []
    main = Label(rows[0]['baseline_layer'])
    title = ('Layers of ', name, ' on ', Label(target), ': top-1 less ', main)
    return [_by_pooling(one, title, rows, difference_line)]


def _of_layers(target: str, name: str) -> dict[str, str]:
    of = dict(table='layers', target=target, candidate=name)
    return dict(of, score='top-1', group='all')


def _by_pooling(
    one: Compared, title: Text, rows: list[dict], shown: Callable[[dict], Line]
) -> Table:
    """Return records of layers, poolings side by side."""
    by_layer = {row['layer']: row for row in rows}
    kinds = list(dict.fromkeys(key.partition(' ')[0] for key in by_layer))
    sizes = list(dict.fromkeys(key.partition(' ')[2] for key in by_layer))
    lines = []
    for kind in kinds:
        found = [by_layer.get(f'{kind} {size}'.strip()) for size in sizes]
        cells = (shown(row) if row else ('',) for row in found)
        lines.append(((Label(kind),), *cells))
    head = ('layer', *((Label(size or 'whole image'),) for size in sizes))
    return Table(title, head, tuple(lines), interval_note(one))
