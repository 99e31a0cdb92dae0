"""The comparison of the embedded candidates, with tools that write what they would."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config, DictAction
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError
from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions

# Shares of the objects that are found, and whether exactly (else the IoU is under 0.7):
# the mean of AP50 and AP70 decides. Of cls 0.06 is best, whose AP50 is not; of all
# others 0.12.
SHARES = {0.03: (0.2, 1), 0.06: (0.5, 1), 0.12: (0.8, 1)}
SHARES_OF_CLS = {0.03: (0.6, 0), 0.06: (0.5, 1), 0.12: (0.1, 1)}


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'tools' / 'benchmarks')
    import embedded_transfer

    monkeypatch.setattr(embedded_transfer, 'hold', lambda _: None)
    return embedded_transfer


@pytest.fixture
def args(tool, here, monkeypatch):
    """The tiny world in the place of the small one, and empty candidates."""
    monkeypatch.chdir(here)
    monkeypatch.setattr(tool, 'ROOT', here)
    for name, (file, seeds) in tool.CANDIDATES.items():
        for seed in seeds if file else ():
            path = here / 'candidates' / name / f'seed_{seed}' / file
            path.parent.mkdir(parents=True)
            path.touch()
    root = here / 'work_dirs/world_small'
    root.symlink_to(here / 'work_dirs/world_tiny')
    found = Namespace(task='detection', candidates='candidates', work_dir='out', jobs=2)
    monkeypatch.setattr(tool, 'parse_args', lambda: Namespace(**vars(found)))
    return found


def write_found(path, split, share, is_exact):
    """Write the first share of the true boxes of a split as detections, cut or not."""
    from mmdet.datasets import VOCDataset

    data = VOCDataset(
        data_root='work_dirs/world_tiny/VOCdevkit/',
        ann_file=split,
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
    )
    infos = [data.get_data_info(k) for k in range(len(data))]
    rows = [(k, one) for k, info in enumerate(infos) for one in info['instances']]
    rows = rows[: round(share * len(rows))]
    boxes = np.array([one['bbox'] for _, one in rows], dtype=np.float32)
    if not is_exact:
        # Six tenths of the height.
        boxes[:, 3] = boxes[:, 1] + 0.6 * (boxes[:, 3] - boxes[:, 1])
    columns = dict(
        image_index=np.array([k for k, _ in rows]),
        boxes=boxes,
        labels=np.array([one['bbox_label'] for _, one in rows]),
        scores=np.linspace(1, 0.5, len(rows), dtype=np.float32),
    )
    classes = tuple(data.metainfo['classes'])
    header = PredictionHeader('detection', classes, 'hash', 'config.py')
    ids = tuple(info['img_id'] for info in infos)
    save_predictions(path, Predictions(header, ids, columns))


@pytest.fixture
def calls(tool, monkeypatch):
    found = []

    def run_tool(name, arguments, log):
        words = [str(one) for one in arguments]
        found.append((name, words))
        log.parent.mkdir(parents=True, exist_ok=True)
        if name == 'train.py':
            (log.parent / 'last_checkpoint').write_text('weights.pth')
        elif name == 'test.py':
            options = [w for w in words if w.startswith('test_dataloader')]
            split = 'VOC2007/ImageSets/Main/test.txt'
            if options:
                split = options[0].partition('=')[2]
            parts = log.parent.parts
            rate = next((p[5:] for p in parts if p.startswith('rate_')), '0.03')
            share = SHARES[float(rate)]
            if 'cls' in parts:
                share = SHARES_OF_CLS[float(rate)]
            path = Path(words[words.index('--out') + 1])
            write_found(path, split, *share)
        else:
            log.write_text('the comparison')

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    return found


def test_rates_are_chosen_on_val_and_refitted_on_all_for_test(
    tool, args, calls, capsys
):
    tool.main()
    trainings = [words for name, words in calls if name == 'train.py']
    trials = [words for words in trainings if 'trials' in words[2]]
    # Five candidates with three rates; three seeds of each, and of scratch for longer.
    assert len(trials) == 15 and len(trainings) == 15 + 15 + 3
    for words in trials:
        assert any('Main/train.txt' in word for word in words)
        assert 'randomness.seed=0' in words
    for words in trainings[15:]:
        folder = Path(words[2])
        name, seed = folder.parts[-2], folder.parts[-1][-1]
        assert not any('train.txt' in word for word in words)
        assert f'randomness.seed={seed}' in words
        rate = '0.06' if name == 'cls' else '0.12'
        assert f'optim_wrapper.optimizer.lr={rate}' in words
        loaded = [w for w in words if w.startswith('load_from=')]
        if 'scratch' in name:
            assert words[0] == str(tool.TASKS['detection'].scratch) and not loaded
        else:
            assert f'{name}/seed_{seed}' in loaded[0]
        assert ('train_cfg.max_epochs=14' in words) == (name == 'scratch-longer')
    tests = [words for name, words in calls if name == 'test.py']
    on_val = [any('Main/val.txt' in word for word in words) for words in tests]
    assert len(on_val) == 33 and sum(on_val) == 15
    assert all('--tta' in words for words in tests)
    name, words = calls[-1]
    assert name == 'analysis_tools/compare_detectors.py'
    assert [word.partition('=')[0] for word in words[:6]] == [
        *tool.CANDIDATES,
        tool.LONGER,
    ]
    lines = (Path(args.work_dir) / 'trials.jsonl').read_text().splitlines()
    assert len(lines) == 15 and json.loads(lines[0])['AP50'] > 0
    assert 'the comparison' in capsys.readouterr().out
    # What is there is not made again.
    calls.clear()
    tool.main()
    assert [name for name, _ in calls] == ['analysis_tools/compare_detectors.py']


def keys_of(node, path=''):
    """Return the paths of all settings."""
    if not isinstance(node, dict):
        return {path}
    return set().union(*(keys_of(v, f'{path}.{k}') for k, v in node.items()))


@pytest.mark.parametrize(
    'name', ['detection', 'segmentation', 'caltech256', 'sun397', 'flowers102']
)
def test_options_reach_the_config(tool, name):
    """The parts, the longer schedule and the rate are keys that exist."""
    task = tool.TASKS[name]
    cfg = Config.fromfile(task.transfer)
    options = ['optim_wrapper.optimizer.lr=0.5', *task.longer, *task.part, *task.rest]
    pairs = (option.partition('=') for option in options)
    # The part of a data set that is there as a whole is a new key.
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        if loader.dataset.type == 'mmdetxfer.WholeDataset':
            loader.dataset.part = 'all'
    before = cfg.to_dict()
    cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, _, v in pairs})
    after = cfg.to_dict()
    for part in ('train_dataloader', 'test_dataloader', 'optim_wrapper', 'train_cfg'):
        assert keys_of(after[part]) == keys_of(before[part])
        assert after[part] != before[part]
    length = 'max_epochs' if name == 'detection' else 'max_iters'
    assert after['train_cfg'][length] == 2 * before['train_cfg'][length]
    place = len(before['param_scheduler']) - 1
    key = 'milestones' if place else 'T_max'
    steps = [one['param_scheduler'][place][key] for one in (before, after)]
    assert np.array_equal(steps[1], 2 * np.array(steps[0]))
    if task.without:
        # Scratch is the same config with options.
        assert task.scratch == task.transfer
        return
    scratch = Config.fromfile(task.scratch).to_dict()
    for part in ('train_dataloader', 'optim_wrapper', 'train_cfg', 'param_scheduler'):
        assert scratch[part] == before[part]


@pytest.mark.parametrize('name', ['caltech256', 'sun397', 'flowers102'])
def test_without_a_candidate_nothing_is_loaded_nor_kept(tool, name):
    task = tool.TASKS[name]
    cfg = Config.fromfile(task.scratch)
    assert cfg.load_from and cfg.custom_hooks
    pairs = (option.partition('=') for option in task.without)
    cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, _, v in pairs})
    assert cfg.load_from is None and not cfg.custom_hooks


@pytest.mark.parametrize('name', ['caltech256', 'sun397', 'flowers102'])
def test_a_classifiers_part_and_rest_are_apart_and_all_together_the_whole(
    tool, here, name
):
    """Three images of a class of each target, of which one is held out."""
    from mmengine.registry import DATASETS, DefaultScope

    from mmdetxfer.worlds import classification_sets as sets

    write, sizes = {
        'caltech256': (sets.write_caltech256, {'all': 50}),
        'sun397': (sets.write_sun397, {'train': 48, 'test': 16}),
        'flowers102': (sets.write_flowers102, {'train': 20, 'val': 20, 'test': 10}),
    }[name]
    write(here / 'data', sizes, 0)
    task = tool.TASKS[name]

    def images(loader, options):
        cfg = Config.fromfile(task.transfer)
        pairs = (option.partition('=') for option in options)
        cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, _, v in pairs})
        settings = cfg[loader].dataset
        inner = settings.dataset
        inner.data_root = str(here / 'data')
        if name == 'caltech256':
            inner.data_root += '/256_ObjectCategories'
            inner.num_train, inner.lists_dir = 4, str(here / 'lists')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            data = DATASETS.build(settings)
        return {data.get_data_info(k)['img_path'] for k in range(len(data))}

    part = images('train_dataloader', task.part)
    rest = images('test_dataloader', task.rest)
    assert part and rest and not part & rest
    assert part | rest == images('train_dataloader', ())
    assert not (part | rest) & images('test_dataloader', ())


def test_a_segmentors_part_and_rest_are_apart_and_all_together_the_whole(tool, here):
    """VOC's own images, and SBD's others."""
    from mmengine.registry import DATASETS, init_default_scope

    from mmdetxfer.datasets.sbd_labels import convert_sbd
    from mmdetxfer.worlds import sbd, voc

    devkit = here / 'VOCdevkit'
    voc.write_voc2012(devkit / 'VOC2012', {'train': 5, 'val': 3}, 0)
    sbd.write(devkit / 'VOCaug', {'train': 5, 'val': 3}, 0)
    convert_sbd(devkit / 'VOC2012', devkit / 'VOCaug')
    task = tool.TASKS['segmentation']

    def images(loader, options):
        cfg = Config.fromfile(task.transfer)
        pairs = (option.partition('=') for option in options)
        cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, _, v in pairs})
        init_default_scope('mmseg')
        settings = cfg[loader].dataset
        for one in (settings, *settings.get('datasets', ())):
            if 'data_root' in one:
                one.data_root = str(devkit / 'VOC2012')
        data = DATASETS.build(settings)
        return {data.get_data_info(k)['img_path'] for k in range(len(data))}

    part = images('train_dataloader', task.part)
    rest = images('test_dataloader', task.rest)
    assert part and rest and not part & rest
    assert part | rest == images('train_dataloader', ())
    assert not (part | rest) & images('test_dataloader', ())


def test_segmentors_run_in_the_same_way(tool, args, monkeypatch):
    """Whose mIoU is the rate, so that the greatest is chosen; label maps are kept."""
    calls = []

    def run_tool(name, arguments, log):
        calls.append((name, [str(one) for one in arguments]))
        (log.parent / 'last_checkpoint').write_text('weights.pth')
        log.write_text('the comparison')

    def scored(config, options, files):
        assert config == str(tool.TASKS['segmentation'].transfer) and options
        return {(name, setting): [setting[0]] for name, setting in files}

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    task = replace(tool.TASKS['segmentation'], scored=scored)
    monkeypatch.setitem(tool.TASKS, 'segmentation', task)
    args.task = 'segmentation'
    tool.main()
    finals = [w for n, w in calls if n == 'train.py' and 'finals' in w[2]]
    rate = f'optim_wrapper.optimizer.lr={max(task.settings)[0]}'
    assert len(finals) == 18 and all(rate in words for words in finals)
    longer = [words for words in finals if 'scratch-longer' in words[2]]
    assert len(longer) == 3 and all('train_cfg.max_iters=1000' in w for w in longer)
    tests = [words for name, words in calls if name == 'test.py']
    assert len(tests) == 38 and not any('--tta' in words for words in tests)
    assert all(w[w.index('--out') + 1].endswith('label_maps') for w in tests)
    name, words = calls[-1]
    assert name == 'analysis_tools/compare_segmentors.py'
    first = words.index('--widths') + 1
    assert words[first : first + 12] == [str(one) for one in range(1, 13)]


def test_classifiers_of_three_targets_and_then_probes(tool, args, monkeypatch):
    """The greatest of rates less a tenth of ten thousand decays is chosen."""
    calls = []

    def run_tool(name, arguments, log):
        calls.append((name, [str(one) for one in arguments]))
        (log.parent / 'last_checkpoint').write_text('weights.pth')
        log.write_text('the tables')

    def scored(config, options, files):
        return {(n, (r, d)): [r - 1000 * d] for n, (r, d) in files}

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    for name in tool.CLASSIFICATION:
        task = replace(tool.TASKS[name], scored=scored)
        monkeypatch.setitem(tool.TASKS, name, task)
    args.task, args.work_dir = 'classification', None
    (Path('work_dirs') / 'embedded_candidates').symlink_to(Path('candidates').resolve())
    args.candidates = tool.CANDIDATES_DIR
    tool.main()
    trainings = [words for name, words in calls if name == 'train.py']
    # Five candidates with eight settings; three seeds of each, and scratch for longer.
    assert len(trainings) == 3 * (40 + 15 + 3)
    finals = [words for words in trainings if 'finals' in words[2]]
    for words in finals:
        assert {'optim_wrapper.optimizer.lr=0.3'} <= set(words)
        assert 'optim_wrapper.optimizer.weight_decay=0.0001' in words
        assert ('load_from=None' in words) == ('scratch' in words[2])
    targets = {Path(words[2]).parts[-4] for words in finals}
    assert targets == {f'embedded_{name}' for name in tool.CLASSIFICATION}
    name, words = calls[-1]
    assert name == 'probe.py' and words[0].endswith('probes_r18_world.py')
    for other in (dict(work_dir='elsewhere'), dict(candidates='others')):
        found = Namespace(**{**vars(args), **other})
        monkeypatch.setattr(tool, 'parse_args', lambda found=found: found)
        with pytest.raises(UserError, match='expected no --work-dir and --candidates'):
            tool.main.__wrapped__()


def test_classifiers_are_chosen_by_their_top1(tool, here, monkeypatch):
    """Of 10 held-out flowers, one a class, 10 and 4 are right."""
    from mmdetxfer.evaluation.probe_tables import labelled_test_images
    from mmdetxfer.worlds.classification_sets import write_flowers102

    write_flowers102(here / 'flowers', {'train': 20, 'val': 20, 'test': 10}, 0)
    task = tool.TASKS['flowers102']
    root = f'test_dataloader.dataset.dataset.data_root={here}/flowers'
    options = [*task.rest, root]
    ids, labels = labelled_test_images(str(task.transfer), options)
    assert len(ids) == 10
    files = {}
    for rate, num_right in ((0.01, 10), (0.1, 4)):
        named = np.where(np.arange(10) < num_right, labels, (labels + 1) % 102)
        header = PredictionHeader('classification', (), 'hash', 'config.py')
        columns = dict(scores=np.eye(102, dtype=np.float32)[named])
        files['cls', (rate, 0.1)] = here / f'{rate}.npz'
        save_predictions(here / f'{rate}.npz', Predictions(header, ids, columns))
    scores = task.scored(str(task.transfer), options, files)
    assert scores['cls', (0.01, 0.1)] == [1.0]
    assert scores['cls', (0.1, 0.1)] == [pytest.approx(0.4)]


def test_a_candidate_that_is_not_there_stops_all(tool, args, calls):
    """Before anything is begun, though its seed comes last."""
    (Path(args.candidates) / 'det/seed_2/epoch_4.pth').unlink()
    with pytest.raises(UserError, match='bash tools/embedded_candidates.sh'):
        tool.main.__wrapped__()
    assert calls == []


def test_results_of_other_settings_are_refused(tool, args, calls):
    """Another candidate under the same name, or another rate, in the same folder."""
    tool.main.__wrapped__()
    path = Path(args.candidates) / 'det/seed_1/epoch_4.pth'
    path.write_bytes(b'another')
    with pytest.raises(UserError, match='det/seed_1: it holds results of another chec'):
        tool.main.__wrapped__()
    path.write_bytes(b'')
    file = Path(args.work_dir) / 'finals/cls/seed_0/settings.json'
    file.write_text(file.read_text().replace('lr=0.06', 'lr=0.5'))
    with pytest.raises(UserError, match='cls/seed_0: it holds results of another opti'):
        tool.main.__wrapped__()


def test_segmentors_are_chosen_by_their_miou(tool, here):
    """Of label maps that are the truth, and of background alone."""
    import cv2

    from mmdetxfer.evaluation.segmentor_comparison import read_labels, read_test_set
    from mmdetxfer.predictions import label_map_name, write_manifest
    from mmdetxfer.worlds import voc

    devkit = here / 'VOCdevkit'
    voc.write_voc2012(devkit / 'VOC2012', {'train': 5, 'val': 3}, 0)
    root = f'test_dataloader.dataset.data_root={devkit}/VOC2012'
    task = replace(tool.TASKS['segmentation'], rest=(root,))
    data = read_test_set(str(task.transfer), [root])
    files = {}
    for rate, is_right in (((0.02,), True), ((0.06,), False)):
        folder = here / f'maps_{rate[0]}'
        folder.mkdir()
        for image, path in data.labels.items():
            labels = read_labels(path) % 255
            maps = labels if is_right else labels * 0
            cv2.imwrite(str(folder / label_map_name(image)), maps)
        header = PredictionHeader('segmentation', data.classes, 'hash', 'config.py')
        write_manifest(folder, header, list(data.labels))
        files['cls', rate] = folder
    scores = task.scored(str(task.transfer), task.rest, files)
    assert scores['cls', (0.02,)] == [1.0] and scores['cls', (0.06,)][0] < 0.5
