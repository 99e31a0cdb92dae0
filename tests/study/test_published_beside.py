"""The paper's figures stand beside ours: in its layout, of the same target and unit.

The study is configs/studies/li2019.py itself; its records are made up, so that each of
our numbers is known by whose it is.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_cells import make_cells, make_pets, study_of
from made_up_li2019 import records_in, results_of, value_of

from mmdetxfer.study.cells import Machine
from mmdetxfer.study.parts.classification import ClassificationPart
from mmdetxfer.study.parts.detection import DetectionPart
from mmdetxfer.study.parts.errors import ErrorsPart
from mmdetxfer.study.parts.pretraining import PretrainingPart
from mmdetxfer.study.parts.probes import ProbesPart
from mmdetxfer.study.parts.segmentation import SegmentationPart
from mmdetxfer.study.plan import planned
from mmdetxfer.study.published import published_tables
from mmdetxfer.study.reading import read_study
from mmdetxfer.study.records import read_records
from mmdetxfer.study.report import report_html
from mmdetxfer.study.report_check import unresolved_numbers
from mmdetxfer.study.report_text import plain
from mmdetxfer.study.sections import Report, Table
from mmdetxfer.study.writing import write_study_report

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'studies' / 'li2019.py'
PARTS = (
    DetectionPart(),
    ErrorsPart(),
    SegmentationPart(),
    ClassificationPart(),
    ProbesPart(),
    PretrainingPart(),
)


@pytest.fixture(scope='module')
def study():
    return replace(read_study(CONFIG), target_fractions=(0.1, 1.0))


@pytest.fixture(scope='module')
def sections(study):
    results = results_of(study)
    found = [section for part in PARTS for section in part.sections(results)]
    return {section.key: section for section in found}


def is_table(block):
    return isinstance(block, Table)


def places(sections, key, title):
    """Return a table's places as text, by the names of row and column."""
    (table,) = [
        one
        for one in sections[key].blocks
        if is_table(one) and plain(one.title).startswith(title)
    ]
    head = [plain(one) for one in table.head]
    return {
        plain(line[0]): dict(zip(head, map(plain, line), strict=True))
        for line in table.rows
    }


def ours(*names):
    return f'{value_of(*names):.3f} ('


def test_every_figure_of_the_paper_belongs_to_the_study(study):
    """But for the detectors of others, which the study says that it leaves out."""
    left_out = {'DCNv1', 'DCNv2'}
    for name, table in published_tables().items():
        if not name.startswith('li2019/'):
            continue
        for column in table.columns.values():
            known = {*study.targets, *study.probes['targets'], None}
            assert column.target in known and column.wanted
            assert set(column.ours) <= set(table.rows)
            if table.names == 'candidate':
                rows = {column.ours.get(one, one) for one in table.rows}
                assert rows <= {*study.candidates, *left_out}


def test_table_1_has_a_row_for_each_of_either_side(sections):
    """84.6 and 76.3 per cent of ImageNet-Cls, with our scores of the same unit."""
    table = places(sections, 'detection-voc07', 'Mean AP at IoU')
    cls = table['ImageNet-Cls']
    assert (cls['AP50 published'], cls['AP70 published']) == ('0.846', '0.763')
    of = ('mean', 'voc07', '1.0', 'all', 'ImageNet-Cls')
    assert cls['AP50'].startswith(ours(*of, 'AP50'))
    assert cls['AP70'].startswith(ours(*of, 'AP70'))
    assert 'AP90 published' not in cls
    assert table['scratch']['AP70 published'] == ''
    others = ('AP50', 'AP50 less ImageNet-Cls', 'AP90')
    assert [table['DCNv2'][one] for one in others] == ['', '', '']
    assert table['DCNv2']['AP70 published'] == '0.735'


def test_figures_stand_beside_their_own_target_and_all_of_its_images_alone(sections):
    for key, title in (
        ('detection-coco', 'Mean AP at IoU'),
        ('detection-voc07-100', 'Mean AP at IoU'),
        ('errors-coco', 'Missed objects'),
        ('errors-voc07-100', 'Missed objects'),
        ('segmentation-voc12-100', 'mIoU'),
    ):
        table = places(sections, key, title)
        assert not any('published' in one for one in table['scratch'])
        assert 'DCNv1' not in table
    for section in sections.values():
        if section.key.endswith('-100'):
            titles = [plain(one.title) for one in section.blocks if is_table(one)]
            assert not any('vehicles and animals' in one for one in titles)


def test_table_2_takes_another_candidate_for_each_category(sections):
    """'Loc without the category' is two candidates of ours."""
    table = places(sections, 'detection-voc07', 'VOC, mean AP at IoU 0.7')
    assert list(table) == ['Loc(Cls)', 'Loc without the category', 'Loc']
    for row_name, column, group, own, text in (
        ('Loc(Cls)', 'vehicles', 'vehicle', 'Loc(Cls)', '0.8452'),
        ('Loc without the category', 'vehicles', 'vehicle', 'Loc without vehicles', 0),
        ('Loc without the category', 'animals', 'animal', 'Loc without animals', 0),
        ('Loc', 'animals', 'animal', 'ImageNet-Loc', '0.8483'),
    ):
        of = ('mean', 'voc07', '1.0', group, own, 'AP70')
        assert table[row_name][column].startswith(ours(*of))
        if text:
            assert table[row_name][f'{column} published'] == text


def test_the_gain_on_coco_is_a_difference_to_the_same_baseline(sections, study):
    """+0.7 and +1.4 points."""
    title = 'COCO, AP of what begins from OpenImages'
    table = places(sections, 'detection-coco', title)
    assert list(table) == ['OpenImages']
    gain = table['OpenImages']
    assert gain['AP50 published'] == '+0.007' and gain['AP75 published'] == '+0.014'
    of = ('difference', 'coco', '1.0', 'all', 'OpenImages', 'AP75')
    assert gain['AP75'].startswith(f'+{value_of(*of):.3f} (')
    other = results_of(replace(study, baseline='scratch'))
    of_coco = [
        one for one in DetectionPart().sections(other) if one.key == 'detection-coco'
    ]
    titles = [plain(one.title) for one in of_coco[0].blocks if is_table(one)]
    assert titles and not any(one.startswith(title) for one in titles)


def test_table_3_is_in_per_cent_on_both_sides(sections):
    table = places(sections, 'errors-voc07', 'Missed objects in per cent')
    row_of = table['OpenImages']
    assert row_of['occlusion low published'] == '10.1'
    assert row_of['occlusion medium published'] == '10.8'
    value = value_of('missed', 'voc07', '1.0', 'OpenImages', 'low')
    assert row_of['occlusion low'].strip() == f'{100 * value:.1f}'
    assert table['COCO']['occlusion low published'] == ''


def test_table_4_has_the_published_miou_beside(sections):
    table = places(sections, 'segmentation-voc12', 'mIoU')
    assert table['ImageNet-Loc']['mIoU published'] == '0.783'
    assert table['DCNv1']['mIoU published'] == '0.752'
    of = ('mean', 'voc12', '1.0', 'all', 'ImageNet-Loc', 'mIoU')
    assert table['ImageNet-Loc']['mIoU'].startswith(ours(*of))


def test_table_5_names_layers_as_the_paper_does(sections):
    table = places(sections, 'probes', 'Caltech-256, top-1 of linear probes of a')
    layers = {
        'Conv5': ('Conv5 1x1', '0.767'),
        'ConvProj, 14x14': ('ConvProj whole', '0.697'),
        'ConvProj, 4x4': ('ConvProj 4x4', '0.724'),
        'FC1': ('FC1', '0.716'),
    }
    for name, (own, text) in layers.items():
        of = ('mean', 'layers', 'caltech256', 'OpenImages', own)
        assert table[name]['top-1'].startswith(ours(*of))
        assert table[name]['top-1 published'] == text
    # It was not probed.
    assert table['FC2'] == {'layer': 'FC2', 'top-1': '', 'top-1 published': '0.700'}


def test_table_6_has_a_column_for_each_target(sections):
    table = places(sections, 'probes', 'Linear probes of pooled Conv5')
    assert table['OpenImages']['SUN-397 published'] == '0.511'
    assert table['ImageNet-Cls']['Flowers published'] == '0.874'
    of = ('mean', 'layers', 'sun397', 'OpenImages', 'Conv5 1x1')
    assert table['OpenImages']['SUN-397'].startswith(ours(*of))
    of = ('mean', 'layers', 'caltech256', 'COCO', 'Conv5 1x1')
    assert table['COCO']['Caltech-256'].startswith(ours(*of))
    assert table['COCO']['Caltech-256 published'] == ''


def test_table_7_is_of_detection_and_classification(sections):
    table = places(sections, 'published-classification', 'Pre-trained on the same')
    assert list(table) == ['Loc(Cls)', 'Loc']
    published = [table['Loc'][f'{one} published'] for one in ('AP50', 'Caltech-256')]
    assert published == ['0.865', '0.823']
    of = ('mean', 'voc07', '1.0', 'all', 'ImageNet-Loc', 'AP50')
    assert table['Loc']['AP50'].startswith(ours(*of))
    of = ('mean', 'caltech256', '1.0', 'all', 'Loc(Cls)', 'top-1')
    assert table['Loc(Cls)']['Caltech-256'].startswith(ours(*of))


def test_table_8_has_all_candidates(sections, study):
    table = places(sections, 'published-classification', 'Fine-tuned classification')
    assert set(table) == set(study.candidates)
    assert table['COCO']['Flowers published'] == '0.914'
    assert table['scratch']['Flowers published'] == ''
    of = ('mean', 'flowers102', '1.0', 'all', 'scratch', 'top-1')
    assert table['scratch']['Flowers'].startswith(ours(*of))


def test_the_pre_trainings_scores_say_what_each_is_of(sections):
    table = places(sections, 'pretraining', "The pre-trainings' own mean AP")
    assert table['COCO']['published'] == '0.461'
    assert table['COCO']['published of'] == 'COCO test-dev'
    keys = [f'COCO {seed}' for seed in range(3)]
    expected = ' '.join(f'{value_of("validation", key):.3f}' for key in keys)
    assert table['COCO']['one number a seed'].strip() == expected
    assert table['ImageNet-Loc']['published'] == '0.374'


def test_a_stages_own_score_is_one_line_of_all_seeds(sections):
    """A line for each of three pre-trainings; that there are classes is no score."""
    table = places(sections, 'pretraining', 'Last validation of each stage')
    keys = [f'COCO {seed}' for seed in range(3)]
    expected = ' '.join(f'{value_of("validation", key):.3f}' for key in keys)
    assert table['COCO']['one number a seed'].strip() == expected
    assert table['COCO']['score'] == 'coco/bbox_mAP' and len(table) == 3


def test_every_published_figure_is_in_the_page_and_marked(study, sections):
    """The numbers of each table, and a note under it; of the text two tables."""
    records = records_in(results_of(study))
    report = Report('n', 'q', (), tuple(sections.values()), records=records)
    html = report_html(report)
    assert unresolved_numbers(html, records) == []
    counts = dict(zip(range(1, 9), (12, 6, 4, 4, 7, 6, 6, 12), strict=True))
    expected = {f'Table {n}': count + 1 for n, count in counts.items()}
    expected['text'] = 3 + 2 + 2
    source = 'Li et al. 2019, arXiv 1904.05871, '
    assert expected == {
        place: html.count(f'<span class="published" title="{source}{place}">')
        for place in expected
    }
    assert html.count('of a pre-activation ResNet-101') == 8 + 2


def test_a_study_of_no_paper_has_no_published_figure(study):
    results = results_of(replace(study, paper=None))
    found = [section for part in PARTS for section in part.sections(results)]
    html = report_html(Report('n', 'q', (), tuple(found)))
    assert ' published' not in html and 'published-classification' not in html
    assert 'ResNet-101' not in html and 'DCNv1' not in html


def test_a_layout_with_none_of_ours_is_left_out(study):
    """Of another paper's targets nothing is there."""
    targets = {'other': study.targets['caltech256']}
    probed = dict(study.probes, targets={'other': {}})
    own = replace(study, targets=targets, probes=probed)
    results = results_of(own)
    results.done = lambda *_, **__: []
    keys = [one.key for part in PARTS for one in part.sections(results)]
    assert keys == ['classification-other-100', 'classification-other', 'probes']
    titles = [
        plain(one.title)
        for section in ProbesPart().sections(results)
        for one in section.blocks
    ]
    assert titles and not any('pooled Conv5' in one for one in titles)


def test_a_report_of_real_predictions_has_the_papers_figures(tmp_path):
    """COCO: 79.8 per cent on Caltech-256 in Table 8; of 60 images 54 are right here."""
    config = make_pets(tmp_path)
    study = study_of(config, paper='li2019')
    names = dict(scratch='scratch', cls='ImageNet-Cls', det='COCO')
    own = {names[name]: one for name, one in study.candidates.items()}
    targets = dict(caltech256=study.targets['pets'])
    study = replace(study, candidates=own, targets=targets, baseline='ImageNet-Cls')
    plan = planned(study, Machine(cells=tmp_path / 'w' / 'cells'))
    make_cells(plan, {'scratch': 0.5, 'ImageNet-Cls': 0.6, 'COCO': 0.9})
    said = []
    html = write_study_report(plan, tmp_path / 'study', 'x', said.append).read_text()
    assert not any('warning' in one for one in said)
    records = read_records(tmp_path / 'study' / 'records.jsonl')
    assert unresolved_numbers(html, {one['id']: one for one in records}) == []
    source = 'Li et al. 2019, arXiv 1904.05871, Table 8'
    assert f'<span class="published" title="{source}">0.798</span>' in html
    assert f'<li>{source}</li>' in html
    text = (tmp_path / 'study' / 'report' / 'report.md').read_text()
    lines = [line for line in text.splitlines() if line.startswith('| COCO')]
    (line,) = [one for one in lines if '| 0.798 |' in one]
    assert line.startswith('| COCO | 0.900 (')


def test_layers_stand_side_by_side_and_less_the_main_one(sections):
    """The pooled last stage, which all else is less than, has no place of its own."""
    of = ('layers', 'sun397', 'COCO')
    at = places(sections, 'probes', 'Layers of COCO on sun397: top-1 less Conv5 1x1')
    value = value_of('difference', *of, 'FC1')
    assert at['FC1']['whole image'].startswith(f'+{value:.3f} (')
    assert '1x1' not in at['Conv5'] and at['ConvProj']['whole'] != ''
    (table,) = [
        one
        for one in sections['probes'].blocks
        if is_table(one) and plain(one.title) == 'Layers of COCO on sun397: top-1'
    ]
    lines = {
        plain(line[0]): [plain(place) for place in line[1:]] for line in table.rows
    }
    head = [plain(one) for one in table.head[1:]]
    assert lines['Conv5'][head.index('2x2')].startswith(ours('mean', *of, 'Conv5 2x2'))
    assert lines['FC1'][head.index('2x2')] == ''
