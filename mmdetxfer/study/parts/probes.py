"""Linear probes of frozen layers: what a pre-training knows, and where it is lost."""

from mmdetxfer.study.parts.paper import paper_table
from mmdetxfer.study.parts.paper_layout import layout_table
from mmdetxfer.study.parts.part import difference_line, interval_note, with_interval
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Block, Figure, Label, Line, Section, Table


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
            blocks += [_layers(one, target, name) for name in one.seeds]
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
    rows = one.rows(
        'means',
        table='layers',
        target=target,
        candidate=name,
        score='top-1',
        group='all',
    )
    by_layer = {row['layer']: row for row in rows}
    kinds = list(dict.fromkeys(key.partition(' ')[0] for key in by_layer))
    sizes = list(dict.fromkeys(key.partition(' ')[2] for key in by_layer))
    lines = [
        ((Label(kind),), *(_place(by_layer, kind, size) for size in sizes))
        for kind in kinds
    ]
    title = ('Layers of ', name, ' on ', Label(target), ': top-1')
    head = ('layer', *((Label(size or 'whole image'),) for size in sizes))
    return Table(title, head, tuple(lines), interval_note(one))


def _place(by_layer: dict[str, dict], kind: str, size: str) -> Line:
    row = by_layer.get(f'{kind} {size}'.strip())
    return with_interval(row) if row else ('',)
