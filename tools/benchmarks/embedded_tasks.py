"""What ``embedded_transfer.py`` runs: configs, options and scores of each target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tool_runs import ROOT

CONFIGS = ROOT / 'configs'
OCCLUSION = 'work_dirs/world_small/VOCocclusion'
# A learning rate, and a weight decay where it is tried.
Setting = tuple[float, ...]
Key = tuple[str, Setting]


@dataclass(frozen=True)
class Task:
    """What a kind of transfer runs.

    Args:
        transfer: Config that begins with a candidate.
        scratch: The same without one, given the options below.
        settings: Learning rates, or those with weight decays, that are tried.
        without: Options to begin without a candidate.
        longer: Options for twice the schedule.
        part: Options to train on a part of the train set.
        rest: Options to test on the rest of it.
        found: Name of the predictions in a run's folder.
        switches: Of the test.
        comparison: The tool that compares, and its options; none for some.
        scores: Names of the scores whose mean chooses.
        scored: Returns them for predictions, given a config, options and files.
    """

    transfer: Path
    scratch: Path
    settings: tuple[Setting, ...]
    without: tuple[str, ...]
    longer: tuple[str, ...]
    part: tuple[str, ...]
    rest: tuple[str, ...]
    found: str
    switches: tuple[str, ...]
    comparison: tuple[str, ...]
    scores: tuple[str, ...]
    scored: Callable[..., dict]


def scores_of_detectors(
    config: str, options: Sequence[str], files: Mapping[Key, Path]
) -> dict[Key, list[float]]:
    """Return AP50 and AP70 of detections."""
    from mmdetxfer.evaluation.detector_comparison import read_test_set

    data = read_test_set(config, options)
    return {key: data.mean_precisions(path, (0.5, 0.7)) for key, path in files.items()}


def scores_of_segmentors(
    config: str, options: Sequence[str], files: Mapping[Key, Path]
) -> dict[Key, list[float]]:
    """Return the mIoU of label maps."""
    from mmdetxfer.evaluation.segmentor_comparison import mean_ious, read_test_set

    data = read_test_set(config, options)
    return {key: [miou] for key, miou in mean_ious(data, files).items()}


def scores_of_classifiers(
    config: str, options: Sequence[str], files: Mapping[Key, Path]
) -> dict[Key, list[float]]:
    """Return the top-1 accuracy of predictions."""
    from mmdetxfer.evaluation.probe_tables import labelled_test_images
    from mmdetxfer.probing import fine_tuned_right

    test = labelled_test_images(config, options)
    return {
        key: [float(fine_tuned_right(path, *test).mean())]
        for key, path in files.items()
    }


DETECTION = Task(
    transfer=CONFIGS / 'transfer_det/sniper_r18-c4c5_1xb16-7e_world-voc.py',
    scratch=CONFIGS / 'transfer_det/sniper_r18-c4c5-scratch_1xb16-7e_world-voc.py',
    # At 0.01 all candidates were far from trained (AP50 on val 0.007 to 0.061).
    settings=((0.03,), (0.06,), (0.12,)),
    without=(),
    longer=('train_cfg.max_epochs=14', 'param_scheduler.1.milestones=[10]'),
    part=(
        'train_dataloader.dataset.dataset.ann_file=VOC2007/ImageSets/Main/train.txt',
    ),
    rest=('test_dataloader.dataset.ann_file=VOC2007/ImageSets/Main/val.txt',),
    found='predictions.npz',
    switches=('--tta',),
    comparison=('compare_detectors.py', '--occlusion', OCCLUSION),
    scores=('AP50', 'AP70'),
    scored=scores_of_detectors,
)
_LABELS = 'train_dataloader.dataset.datasets.1'
SEGMENTATION = Task(
    transfer=CONFIGS / 'transfer_seg/deeplab_r18_1xb8-500i_world-voc.py',
    scratch=CONFIGS / 'transfer_seg/deeplab_r18-scratch_1xb8-500i_world-voc.py',
    settings=((0.02,), (0.06,), (0.18,), (0.54,)),
    without=(),
    longer=('train_cfg.max_iters=1000', 'param_scheduler.1.milestones=[700]'),
    # Twice VOC's own images, and tested on SBD's: a loader draws without end.
    part=(
        f'{_LABELS}.ann_file=ImageSets/Segmentation/train.txt',
        f'{_LABELS}.data_prefix.seg_map_path=SegmentationClass',
    ),
    rest=(
        'test_dataloader.dataset.ann_file=ImageSets/Segmentation/aug.txt',
        'test_dataloader.dataset.data_prefix.seg_map_path=SegmentationClassAug',
    ),
    found='label_maps',
    switches=(),
    comparison=('compare_segmentors.py', '--widths', *map(str, range(1, 13))),
    scores=('mIoU',),
    scored=scores_of_segmentors,
)


RATES, DECAYS = (0.01, 0.03, 0.1, 0.3), (0.0001, 0.001)


def classification(name: str, split: str) -> Task:
    """Return the transfer to a target of configs/transfer_cls.

    Args:
        name: Of the target.
        split: What its data set calls the images to learn from.
    """
    transfer = CONFIGS / f'transfer_cls/r18-c5_1xb32-200i_world-{name}.py'
    return Task(
        transfer=transfer,
        scratch=transfer,
        settings=tuple((r, d) for r in RATES for d in DECAYS),
        without=('load_from=None', 'custom_hooks=[]'),
        longer=('train_cfg.max_iters=400', 'param_scheduler.0.T_max=400'),
        part=('train_dataloader.dataset.part=learn',),
        rest=(
            'test_dataloader.dataset.part=held_out',
            f'test_dataloader.dataset.dataset.split={split}',
        ),
        found='predictions.npz',
        switches=(),
        comparison=(),
        scores=('top-1',),
        scored=scores_of_classifiers,
    )


CLASSIFICATION = {
    'caltech256': classification('caltech256', 'train'),
    'sun397': classification('sun397', 'train'),
    'flowers102': classification('flowers102', 'trainval'),
}
PROBES = CONFIGS / 'transfer_cls/probes_r18_world.py'
TASKS = {'detection': DETECTION, 'segmentation': SEGMENTATION, **CLASSIFICATION}
