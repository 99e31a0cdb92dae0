"""tools/analysis_tools/compare_segmentors.py on label maps of known worth."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tool_runner import DET, SEG

from mmdetxfer.predictions import PredictionHeader, label_map_name, write_manifest

TOOL = 'analysis_tools/compare_segmentors.py'
FEW = ('--widths', '1', '2', '5', '--named-width', '2', '--resamples', '40')


def read(path):
    return np.asarray(Image.open(path))


def write_maps(folder, root, classes, share, seed):
    """The truth, with a share of the pixels of another class, void ones too."""
    folder.mkdir()
    names = (root / 'ImageSets/Segmentation/val.txt').read_text().split()
    rng = np.random.default_rng(seed)
    for name in names:
        truth = read(root / f'SegmentationClass/{name}.png')
        wrong = (rng.random(truth.shape) < share) | (truth == 255)
        labels = np.where(wrong, rng.integers(0, 21, truth.shape), truth)
        labels = labels.astype(np.uint8)
        cv2.imwrite(str(folder / label_map_name(name)), labels)
    header = PredictionHeader('segmentation', classes, 'hash', 'config.py')
    write_manifest(folder, header, names)


@pytest.fixture
def classes(here):
    from mmseg.datasets import PascalVOCDataset

    return tuple(PascalVOCDataset.METAINFO['classes'])


@pytest.fixture
def folders(here, classes):
    root = here / 'work_dirs/world_tiny/VOCdevkit/VOC2012'
    for name, share in (('poor', 0.4), ('good', 0.1)):
        for seed in (0, 1):
            write_maps(here / f'{name}{seed}', root, classes, share, seed)
    return ['poor=poor0,poor1', 'good=good0,good1']


def records(folder, kind):
    lines = (folder / 'records.jsonl').read_text().splitlines()
    return [one for one in map(json.loads, lines) if one['kind'] == kind]


def test_tables_curves_and_panels(tools, here, folders):
    """Wrong pixels are everywhere: 0.6 and 0.9 are right, and a 21st of the others."""
    ended = tools(TOOL, *folders, '--config', SEG, '--out', 'out', *FEW, cwd=here)
    out = here / 'out'
    scores = {
        (r['candidate'], r['seed'], r['score']): r['value']
        for r in records(out, 'score')
    }
    for name, share in (('poor', 0.4), ('good', 0.1)):
        expected = 1 - share * 20 / 21
        for where in ('', ' inside 2', ' outside 2'):
            own = scores[name, 0, f'pixel accuracy{where}']
            assert own == pytest.approx(expected, abs=0.01)
    reductions = {r['score']: r for r in records(out, 'error_reduction')}
    assert set(reductions) == {
        'ln error inside',
        'ln error outside',
        'ln error inside - outside',
    }
    assert 0.5 < reductions['ln error inside']['low'] < 0.9
    differences = {r['score']: r for r in records(out, 'difference')}
    gain = differences['mIoU']['difference']
    assert gain > 0.3 and differences['boundary mIoU']['difference'] > 0.1
    with open(out / 'class_gains.csv') as stream:
        gains = {row['score'] for row in csv.DictReader(stream)}
    assert any(one.startswith('IoU of ') for one in gains)
    assert any(one.startswith('boundary IoU of ') for one in gains)
    assert any(one.startswith('IoU inside 2 of ') for one in gains)
    assert records(out, 'undefined')
    assert 'relative error reduction' in ended.printed
    assert 'mIoU: best, or not to be told from it: good' in ended.printed
    for name in ('scores', 'differences', 'error_reductions', 'best'):
        assert (out / f'{name}.csv').is_file() and (out / f'{name}.md').is_file()
    assert cv2.imread(str(out / 'bands.png')).std() > 10
    assert (out / 'bands.svg').is_file()
    assert cv2.imread(str(out / 'cases_good_gains.png')).std() > 10
    assert not (out / 'cases_good_losses.png').exists()


def test_every_option_changes_what_is_counted(tools, here, folders):
    """Of one seed of either; no object is above 10,000 px.

    All changes of labels are lined with void pixels here, so that both kinds of bands
    are the same.
    """
    words = [word.split(',')[0] for word in folders]

    def scores(*options):
        tools(TOOL, *words, '--config', SEG, '--out', 'out', *options, cwd=here)
        return {
            r['score']: r['value']
            for r in records(here / 'out', 'score')
            if r['candidate'] == 'poor'
        }

    plain = scores(*FEW)
    assert scores(*FEW, '--kind', 'labels') == plain
    assert scores(*FEW, '--metric', 'euclidean') != plain
    sizes = scores(*FEW, '--sizes', 'small=0,48', 'large=48,9999')
    assert sizes['class accuracy small'] > 0.5 and sizes['class accuracy large'] > 0.5
    shares = ('--of-diagonal', '--widths', '0.01', '0.05', '--resamples', '10')
    assert 'mIoU inside 0.05' in scores(*shares)
    other = (*words, '--config', SEG, '--out', 'out', '--ignore-index', '254')
    ended = tools(TOOL, *other, cwd=here, fails=True)
    assert 'truth: expected labels 0 to 20 and 254 for void, got 255' in ended.printed


@pytest.mark.parametrize(
    'options, said',
    [
        (
            ('--named-width', '3'),
            'expected one of the widths [1.0, 2.0, 5.0] for error',
        ),
        (('--widths', '2', '1'), 'widths: expected rising numbers (pixels, 1 or more)'),
        (
            ('--sizes', 'small'),
            "--sizes: expected NAME=LOW,HIGH in pixels, got 'small'",
        ),
        (('--resamples', '1'), 'expected 2 resamples and 2 images at least'),
        (('--baseline', 'best'), "--baseline: expected one of poor, good, got 'best'"),
        (('--config', 'none.py'), 'config not found: expected a file at none.py'),
        (('--config', str(DET)), 'expected a config of mmseg, its default_scope is'),
    ],
)
def test_what_makes_no_sense_ends_with_one_line(tools, here, folders, options, said):
    arguments = (*folders, '--config', SEG, '--out', 'out', *FEW, *options)
    assert said in tools(TOOL, *arguments, cwd=here, fails=True).printed


def test_any_candidate_is_the_baseline(tools, here, folders):
    """The other way round every difference has the other sign."""
    words = (*folders, '--config', SEG, *FEW)
    found = []
    for number, more in enumerate(((), ('--baseline', 'good'))):
        tools(TOOL, *words, '--out', f'out{number}', *more, cwd=here)
        found.append(
            {
                r['score']: (r['difference'], r['baseline'])
                for r in records(here / f'out{number}', 'difference')
            }
        )
    assert found[0].keys() == found[1].keys()
    for score, (difference, baseline) in found[0].items():
        assert found[1][score] == (pytest.approx(-difference), 'good')
        assert baseline == 'poor'


def test_one_seed_makes_no_claim(tools, here, folders):
    words = [word.split(',')[0] for word in folders]
    ended = tools(TOOL, *words, '--config', SEG, '--out', 'out', *FEW, cwd=here)
    assert 'best, or not to be told' not in ended.printed
    assert '(images alone, training noise unknown)' in ended.printed
    assert not (here / 'out/best.csv').exists()
    (row,) = (
        r
        for r in records(here / 'out', 'error_reduction')
        if r['score'] == 'ln error inside'
    )
    assert row['variance_of_seeds'] is None


def test_labels_that_mmseg_counts_anew_are_refused(tools, here, folders):
    child = here / 'child.py'
    child.write_text(
        f'_base_ = {str(SEG)!r}\n'
        "meta = dict(classes=('cat', 'background'), palette=[[0, 0, 0], [1, 1, 1]])\n"
        'test_dataloader = dict(dataset=dict(metainfo=meta))\n'
    )
    ended = tools(
        TOOL, *folders, '--config', child, '--out', 'out', cwd=here, fails=True
    )
    assert 'with label_map mmseg counts them anew' in ended.printed


def test_data_without_void_pixels_need_the_other_kind_of_band(tools, here, classes):
    """VOC's labels with their void pixels as background, in a folder beside."""
    child = here / 'child.py'
    root = here / 'work_dirs/world_tiny/VOCdevkit/VOC2012'
    beside = here / 'Filled'
    beside.mkdir()
    names = (root / 'ImageSets/Segmentation/val.txt').read_text().split()
    for name in names:
        labels = read(root / f'SegmentationClass/{name}.png') % 255
        cv2.imwrite(str(beside / f'{name}.png'), labels)
    child.write_text(
        f'_base_ = {str(SEG)!r}\n'
        f"prefix = dict(img_path='JPEGImages', seg_map_path={str(beside)!r})\n"
        'test_dataloader = dict(dataset=dict(data_prefix=prefix))\n'
    )
    write_maps(here / 'maps', root, classes, 0.3, 0)
    words = ('a=maps', '--config', child, '--out', 'out', *FEW)
    ended = tools(TOOL, *words, cwd=here, fails=True)
    assert 'without void pixels there is --kind labels' in ended.printed
    tools(TOOL, *words, '--kind', 'labels', cwd=here)
    assert records(here / 'out', 'score')
    # The maps of the objects are beside VOC's own labels.
    words = (*words, '--kind', 'labels', '--sizes', 'small=0,48')
    ended = tools(TOOL, *words, cwd=here, fails=True)
    assert 'sizes of objects need maps in SegmentationObject beside' in ended.printed


def test_label_maps_that_do_not_fit_are_named(tools, here, folders, classes):
    def said(**change):
        ended = tools(
            TOOL, 'a=poor0', '--config', SEG, '--out', 'out', cwd=here, fails=True
        )
        return ended.printed

    manifest = Path(here / 'poor0/manifest.json')
    good = manifest.read_text()
    body = json.loads(good)
    name, *others = body['files']
    manifest.write_text(json.dumps({**body, 'classes': ['a', 'b']}))
    assert "test set's 21 classes, got segmentation of 2: a, b" in said()
    less = {one: body['files'][one] for one in others}
    manifest.write_text(json.dumps({**body, 'files': less}))
    assert 'got 0 others, and 1 are missing' in said()
    more = {**body['files'], 'another': body['files'][name]}
    manifest.write_text(json.dumps({**body, 'files': more}))
    assert "got 1 others, first 'another', and 0 are missing" in said()
    manifest.write_text(good)
    path = here / 'poor0' / body['files'][name]
    labels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(path), labels[:-1])
    assert 'expected a prediction of the size of the truth' in said()
    cv2.imwrite(str(path), np.full_like(labels, 40))
    assert 'prediction: expected labels 0 to 20, got 40' in said()
    cv2.imwrite(str(path), np.dstack([labels] * 3))
    assert 'expected a palette or grey image of labels, got the mode RGB' in said()
    path.write_bytes(b'no image')
    assert 'expected a label map, it cannot be read' in said()
