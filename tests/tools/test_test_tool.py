"""tools/test.py: what it writes, with one process or two, and what it refuses."""

import json
import pickle
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from tool_runner import CLS, DET, SEG

from mmdetxfer.predictions import load_predictions, read_manifest
from mmdetxfer.text_files import sha256_of_file

# An odd number of images: two ranks test one image twice. The classifier is tested on
# its training images, in batches of two.
ODD = {
    CLS: (
        'test_dataloader.dataset.split=train',
        'test_dataloader.dataset.indices=19',
        'test_dataloader.batch_size=2',
    ),
    DET: ('test_dataloader.dataset.indices=7', 'model.test_cfg.score_thr=0.0'),
    SEG: ('test_dataloader.dataset.indices=7',),
}


def newest(work_dir: Path) -> Path:
    return Path((work_dir / 'last_checkpoint').read_text())


def metrics(work_dir: Path) -> dict:
    """Return the metrics of the newest test, without the times."""
    text = max(work_dir.glob('*/*.json')).read_text()
    return {k: v for k, v in json.loads(text).items() if not k.endswith('time')}


@pytest.fixture(scope='session')
def checkpoints(trained, tmp_path_factory) -> dict[Path, Path]:
    """The trained checkpoints; the segmentor with a random last layer.

    After its few iterations it sees background alone; so its maps hold many labels.
    """
    content = torch.load(newest(trained[SEG]), weights_only=True)
    layer = content['state_dict']['decode_head.conv_seg.weight']
    layer.normal_(generator=torch.Generator().manual_seed(0))
    content['state_dict']['decode_head.conv_seg.bias'].zero_()
    path = tmp_path_factory.mktemp('segmentor') / 'random_head.pth'
    torch.save(content, path)
    return {CLS: newest(trained[CLS]), DET: newest(trained[DET]), SEG: path}


@pytest.fixture
def run(tools, here, checkpoints):
    """Test a tiny config's checkpoint on the images of ODD; return the metrics."""

    def test(config, *arguments, name='tested', options=(), **how):
        checkpoint = checkpoints[config]
        options = ('--cfg-options', *ODD[config], *options)
        arguments = (config, checkpoint, '--work-dir', name, *arguments, *options)
        tools('test.py', *arguments, cwd=here, **how)
        return metrics(here / name)

    return test


def assert_equal_predictions(first: Path, second: Path, rtol: float = 0) -> None:
    one, other = load_predictions(first), load_predictions(second)
    assert one.header == other.header and one.image_ids == other.image_ids
    assert one.columns.keys() == other.columns.keys()
    for name in one.columns:
        np.testing.assert_allclose(one.columns[name], other.columns[name], rtol)


def test_a_classifiers_predictions_are_the_metrics_in_either_format_and_with_two_ranks(
    run, here, checkpoints
):
    """The accuracy is counted again from the file: the folder's name is the class.

    The top five hold the right one for some of the images and not for all, so that an
    image counted twice would change the metric.
    """
    first = run(CLS, '--out', 'one/p.npz')
    saved = load_predictions(here / 'one' / 'p.npz')
    wordnet = sorted(
        p.name for p in (here / 'work_dirs').glob('*/ILSVRC/Data/*/train/*')
    )
    assert len(saved.image_ids) == 19
    assert saved.header.task == 'classification' and len(saved.header.classes) == 1000
    assert saved.header.weights_sha256 == sha256_of_file(checkpoints[CLS])
    assert saved.header.config == CLS.name
    assert all(one.split('/')[1] in wordnet for one in saved.image_ids)

    again = run(CLS, '--out', 'two.parquet', name='again')
    ranked = run(CLS, '--out', 'three.npz', name='ranked', ranks=2)
    assert first == again == ranked
    assert_equal_predictions(here / 'one/p.npz', here / 'two.parquet')
    # The last image is alone in its batch in one process and has company in the other,
    # which moves float32 scores by a unit in the last place.
    assert_equal_predictions(here / 'one/p.npz', here / 'three.npz', rtol=1e-6)
    assert 0 < first['accuracy/top5'] < 100


def test_a_detectors_boxes_are_those_of_the_hosts_own_dump_and_of_two_ranks(
    run, here, checkpoints
):
    first = run(DET, '--out', 'p.npz')
    dumped = run(DET, '--out', 'host.pkl', name='dumped')
    ranked = run(DET, '--out', 'two.parquet', name='ranked', ranks=2)
    assert first == dumped == ranked
    assert_equal_predictions(here / 'p.npz', here / 'two.parquet')

    saved = load_predictions(here / 'p.npz')
    assert saved.header.classes[:2] == ('aeroplane', 'bicycle')
    assert saved.header.weights_sha256 == sha256_of_file(checkpoints[DET])
    host = pickle.loads((here / 'host.pkl').read_bytes())
    assert saved.image_ids == tuple(str(image['img_id']) for image in host)
    assert len(saved.columns['scores']) > 100
    for index, image in enumerate(host):
        mine = saved.columns['image_index'] == index
        for name, theirs in (('boxes', 'bboxes'), ('scores', 'scores')):
            expected = image['pred_instances'][theirs].numpy()
            np.testing.assert_array_equal(saved.columns[name][mine], expected)


def test_saved_labels_are_named_as_the_detector_means_them(tools, here, checkpoints):
    """Where a metric turns labels into other classes, the file keeps the detector's.

    One process and two score alike through the metric within the metric.
    """
    (here / 'is_a.txt').write_text('bird s0\naeroplane s1\n')
    synsets = [f's{k}' for k in range(20)]
    config = here / 'mapped.py'
    config.write_text(
        f"_base_ = '{DET}'\n"
        'test_evaluator = dict(_delete_=True, type="mmdetxfer.MappedLabelsMetric",\n'
        '    metric=dict(type="mmdetxfer.VOCSweepMetric", iou_thresholds=[0.1]),\n'
        f'    synsets={synsets}, is_a_file="{here}/is_a.txt")\n'
    )
    options = ('--cfg-options', *ODD[DET])
    found = []
    for ranks, name in ((1, 'one'), (2, 'two')):
        arguments = ('--work-dir', name, '--out', f'{name}.npz', *options)
        tools('test.py', config, checkpoints[DET], *arguments, cwd=here, ranks=ranks)
        found.append(metrics(here / name))
    assert found[0] == found[1] and 'mapped/voc/AP10' in found[0]
    assert load_predictions(here / 'one.npz').header.classes == tuple(synsets)


def test_a_segmentors_label_maps_are_those_of_the_hosts_dump_and_of_two_ranks(
    run, here
):
    first = run(SEG, '--out', 'maps')
    dumped = run(SEG, '--out', 'host.pkl', name='dumped')
    ranked = run(SEG, '--out', 'two', name='ranked', ranks=2)
    assert first == dumped == ranked
    assert 0 < first['mIoU'] < 100

    header, files = read_manifest(here / 'maps')
    assert header.task == 'segmentation' and header.classes[0] == 'background'
    host = pickle.loads((here / 'host.pkl').read_bytes())
    assert sorted(files) == sorted(Path(image['img_path']).stem for image in host)
    for image in host:
        expected = image['pred_sem_seg']['data'].numpy()[0]
        name = Path(image['img_path']).stem
        assert expected.shape == tuple(image['ori_shape'])
        assert len(np.unique(expected)) > 3
        for folder in ('maps', 'two'):
            path = read_manifest(here / folder)[1][name]
            np.testing.assert_array_equal(cv2.imread(str(path), -1), expected)


def test_test_time_augmentation_changes_the_predictions_in_one_process_and_in_two(
    run, here
):
    pair = ('test_dataloader.dataset.indices=2',)
    run(SEG, '--out', 'plain', options=pair)
    run(SEG, '--tta', '--out', 'one', name='one', options=pair)
    run(SEG, '--tta', '--out', 'two', name='two', options=pair, ranks=2)
    plain, one, two = (
        [path.read_bytes() for path in sorted((here / name).glob('*.png'))]
        for name in ('plain', 'one', 'two')
    )
    assert len(plain) == 2
    assert plain != one
    assert one == two


def mirrored(config: Path, folder: Path) -> Path:
    """Write a config that tests on mirror images."""
    pipeline = Config.fromfile(config).test_dataloader.dataset.pipeline
    pipeline.insert(-1, ConfigDict(type='RandomFlip', prob=1.0))
    pipeline = [step.to_dict() for step in pipeline]
    text = f"""_base_ = {str(config)!r}
test_dataloader = dict(dataset=dict(pipeline={pipeline!r}))
"""
    path = folder / f'mirrored_{config.name}'
    path.write_text(text)
    return path


def test_a_classifiers_usual_augmentation_averages_the_image_and_its_mirror_image(
    run, tools, here, checkpoints
):
    run(CLS, '--out', 'plain.npz')
    run(CLS, '--tta', '--out', 'both.npz', name='both')
    path, options = mirrored(CLS, here), ('--cfg-options', *ODD[CLS])
    mirror = (path, checkpoints[CLS], '--work-dir', 'mirror', '--out', 'mirror.npz')
    tools('test.py', *mirror, *options, cwd=here)
    plain, mirror, both = (
        load_predictions(here / f'{name}.npz').columns['scores']
        for name in ('plain', 'mirror', 'both')
    )
    assert np.abs(plain / mirror - 1).max() > 1e-3
    np.testing.assert_allclose(both, (plain + mirror) / 2, rtol=1e-5, atol=1e-8)


def test_a_detectors_usual_augmentation_pools_the_boxes_of_image_and_mirror_image(
    run, tools, here, checkpoints
):
    """A box of a mirror image of width w lies, mirrored back, from w - x2 to w - x1."""
    run(DET, '--out', 'plain.npz')
    run(DET, '--tta', '--out', 'both.npz', name='both')
    path, options = mirrored(DET, here), ('--cfg-options', *ODD[DET])
    mirror = (path, checkpoints[DET], '--work-dir', 'mirror', '--out', 'mirror.npz')
    tools('test.py', *mirror, *options, cwd=here)
    plain, mirror, both = (
        load_predictions(here / f'{name}.npz') for name in ('plain', 'mirror', 'both')
    )
    contributed = [0, 0]
    images = here / 'work_dirs/world_tiny/VOCdevkit/VOC2007/JPEGImages'
    for index, image_id in enumerate(both.image_ids):
        width = cv2.imread(str(images / f'{image_id}.jpg')).shape[1]
        theirs = mirror.columns['boxes'][mirror.columns['image_index'] == index]
        back = np.stack(
            [width - theirs[:, 2], theirs[:, 1], width - theirs[:, 0], theirs[:, 3]], 1
        )
        own = plain.columns['boxes'][plain.columns['image_index'] == index]
        pooled = both.columns['boxes'][both.columns['image_index'] == index]
        assert 0 < len(pooled) <= 100
        near = [
            np.abs(pooled[:, None] - boxes[None]).max(2).min(1) < 1e-2
            for boxes in (own, back)
        ]
        assert (near[0] | near[1]).all()
        contributed[0] += int((near[0] & ~near[1]).sum())
        contributed[1] += int((near[1] & ~near[0]).sum())
    assert min(contributed) > 0


@pytest.mark.parametrize('config', [CLS, DET, SEG])
def test_painted_predictions_lie_in_the_folder_that_is_named(run, here, config):
    options = ('default_hooks.visualization.interval=1',)
    options += ('test_dataloader.dataset.indices=2',)
    run(config, '--show-dir', 'painted', options=options)
    assert list((here).rglob('painted/**/*.png')) + list(
        (here).rglob('painted/**/*.jpg')
    )


def test_a_checkpoint_that_could_run_code_needs_to_be_trusted(tools, here, checkpoints):
    """The file holds a Path, a type of no allow-list, beside good weights."""
    content = torch.load(checkpoints[CLS], weights_only=True)
    content['meta']['origin'] = Path('here')
    torch.save(content, here / 'odd.pth')
    refused = tools('test.py', CLS, 'odd.pth', cwd=here, fails=True)
    assert refused.code == 1 and '--trust-checkpoint' in refused.printed
    tools('test.py', CLS, 'odd.pth', '--trust-checkpoint', cwd=here)


REFUSED = {
    'no such config': (
        ('configs/absent.py', 'detector.pth'),
        r'config not found: expected a file at configs/absent\.py',
    ),
    'checkpoint of another architecture': (
        (CLS, 'detector.pth'),
        r'detector\.pth filled \d+ of \d+ .*expected all: .*of another architecture',
    ),
    'no such checkpoint': (
        (CLS, 'absent.pth'),
        r'checkpoint not found: expected a file at absent\.pth',
    ),
    'damaged checkpoint': (
        (DET, 'damaged.pth'),
        r'damaged\.pth cannot be read as a checkpoint, it is damaged',
    ),
    'data root': (
        (DET, 'detector.pth', '--cfg-options', 'test_dataloader.dataset.data_root=no'),
        r'test data: expected a folder at data_root no, there is none',
    ),
    'unknown --out': (
        (DET, 'detector.pth', '--out', 'p.json'),
        r'--out p\.json: expected a name that ends in \.npz or \.parquet for detection',
    ),
    'no test-time augmentation': (
        (SEG, 'detector.pth', '--tta', '--cfg-options', 'tta_model=None'),
        r'--tta: the config has no tta_model and tta_pipeline, and mmseg has no usual',
    ),
    'nothing that paints': (
        (
            *(DET, 'detector.pth', '--show-dir', 'painted'),
            *('--cfg-options', 'default_hooks.visualization=None'),
        ),
        r'--show-dir: the config has no default_hooks\.visualization; inherit',
    ),
    'no test set': (
        (DET, 'detector.pth', '--cfg-options', 'test_dataloader=None'),
        r'has no test_dataloader: it cannot test',
    ),
    'work_dir under a file': (
        (DET, 'detector.pth', '--work-dir', 'damaged.pth/run'),
        r'work_dir damaged\.pth/run cannot be written',
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_bad_input_ends_with_one_clear_line(tools, here, trained, case):
    arguments, message = REFUSED[case]
    shutil.copy(newest(trained[DET]), here / 'detector.pth')
    content = (here / 'detector.pth').read_bytes()
    (here / 'damaged.pth').write_bytes(content[: len(content) // 2])
    ended = tools('test.py', *arguments, cwd=here, fails=True)
    errors = [line for line in ended.printed.splitlines() if line.startswith('error')]
    assert ended.code == 1
    assert len(errors) == 1, ended.printed
    assert re.search(message, errors[0]), errors[0]
    assert 'Traceback' not in ended.printed
