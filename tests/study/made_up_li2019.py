"""Records of the study configs/studies/li2019.py, as its parts would find them.

Each number is made of the names of its place, so that one that stands elsewhere shows.
"""

from pathlib import Path
from types import SimpleNamespace

from mmdetxfer.study.cells import Use
from mmdetxfer.study.results import Compared

SCORES = dict(
    detection=('AP50', 'AP70', 'AP75', 'AP90'),
    segmentation=('mIoU',),
    classification=('top-1',),
)
LAYERS = ('Conv5 1x1', 'Conv5 2x2', 'ConvProj 4x4', 'ConvProj whole', 'FC1')


def value_of(*names):
    """A number of three digits, made of the names of a place."""
    return sum((k + 1) * ord(c) for k, c in enumerate('/'.join(names))) % 997 / 1000


def row(kind, *names, **of):
    value = value_of(kind, *names)
    ends = dict(low=value - 0.0004, high=value + 0.0004, variance_of_seeds=0.1)
    key = 'difference' if kind == 'difference' else 'value'
    return {'id': '/'.join((kind, *names)), 'kind': kind, key: value, **ends, **of}


def transfers(study, name, share):
    target = study.targets[name]
    tables = dict(means=[], differences=[], missed=[], group_scores=[])
    groups = ['all', 'vehicle', 'animal'] if target.task == 'detection' else ['all']
    for group in groups:
        tables['group_scores'].append(dict(group=group))
        for one in study.candidates:
            for score in SCORES[target.task]:
                names = (name, str(share), group, one, score)
                of = dict(candidate=one, target=name, score=score)
                if target.task != 'segmentation':
                    of['group'] = group
                tables['means'].append(row('mean', *names, **of))
                of['baseline'] = study.baseline
                if one != study.baseline:
                    tables['differences'].append(row('difference', *names, **of))
    if target.task == 'detection':
        for one in study.candidates:
            for level in ('low', 'medium'):
                own = row('missed', name, str(share), one, level, occlusion=level)
                own |= dict(candidate=one, mean=own['value'])
                tables['missed'].append(own)
    return compared(study, tables, name, share)


def compared(study, tables, target=None, share=1.0):
    seeds = {name: (0, 1, 2) for name in study.candidates}
    return Compared(target, share, study.baseline, seeds, (), tables, Path('none'))


def probes(study):
    means, differences = [], []
    for target in study.probes['targets']:
        for one in study.candidates:
            of = dict(target=target, candidate=one, score='top-1', group='all')
            head = dict(table='probes', layer='Conv5 1x1', **of)
            means.append(row('mean', 'probes', target, one, **head))
            for layer in LAYERS:
                own = dict(table='layers', layer=layer, **of)
                means.append(row('mean', 'layers', target, one, layer, **own))
                if layer != LAYERS[0]:
                    own['baseline_layer'] = LAYERS[0]
                    less = row('difference', 'layers', target, one, layer, **own)
                    differences.append(less)
    return compared(study, dict(means=means, differences=differences))


def results_of(study):
    """What the parts ask of results, with everything there."""
    scores = {'OpenImages': 'openimages/mAP', 'COCO': 'coco/bbox_mAP'}
    scores['ImageNet-Loc'] = 'voc/AP50'
    uses = [
        Use(f'{one} {seed}', 'pretrain', one, seed, stage=0)
        for one in scores
        for seed in study.seeds
    ]
    rows = {
        use.key: [
            row('validation', use.key, score=scores[use.candidate]),
            row('validation', use.key, 'classes', score='voc/num_classes'),
        ]
        for use in uses
    }

    def done(_, **wanted):
        is_wanted = [
            all(getattr(use, key) == value for key, value in wanted.items())
            for use in uses
        ]
        return [use for use, one in zip(uses, is_wanted, strict=True) if one]

    found = {
        (name, share): transfers(study, name, share)
        for name in study.targets
        for share in study.target_fractions
    }
    probed = probes(study)
    return SimpleNamespace(
        study=study,
        transfers=lambda name, share=1.0: found.get((name, share)),
        probes=lambda: probed,
        done=done,
        rows=rows,
        found=found,
    )


def records_in(results):
    tables = [
        table
        for one in (*results.found.values(), results.probes())
        for table in one.tables.values()
    ]
    found = [one for table in (*tables, *results.rows.values()) for one in table]
    return {one['id']: one for one in found if 'id' in one}
