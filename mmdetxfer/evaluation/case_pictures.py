"""Pictures of the cases in which two detectors differ (Li et al. 2019, Figure 8).

The images where the candidate finds most objects more, and most less, than the
baseline, and those where it finds most occluded ones more; means over seeds choose, the
first seed of each is shown. An object is found if any detection found it, however
unsure; false detections are those among the surest, of each class as many as it has
objects.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import mmcv
import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.detector_comparison import DetectionTestSet
from mmdetxfer.plots import Case, Mark, draw_cases
from mmdetxfer.scoring import FoundObjects
from mmdetxfer.scoring.error_differences import STATES, image_gains
from mmdetxfer.scoring.hoiem import surest_detections
from mmdetxfer.scoring.tide import DETECTION_KINDS, IGNORED, RIGHT, Errors


def draw_case_pictures(
    test_set: DetectionTestSet,
    candidates: Mapping[str, Sequence[FoundObjects]],
    errors: Mapping[str, Sequence[Errors]],
    baseline: str,
    is_occluded: np.ndarray | None,
    out: Path,
    num_cases: int = 4,
) -> list[Path]:
    """Draw the pictures of all candidates; return the files.

    Args:
        test_set: What the detections are of.
        candidates: Detections of each candidate, one table a seed.
        errors: What they are, by candidate and seed.
        baseline: The candidate that the others are compared with.
        is_occluded: (G,) which objects are occluded, or None if that is not known.
        out: The folder.
        num_cases: Images in a picture, at most.
    """
    for path in out.glob('cases_*.png'):
        path.unlink()
    written = []
    seeds = {len(found) for found in candidates.values()}
    shown = '' if seeds == {1} else ' (mean of seeds; shown: the first)'
    # Those of the first seed, which is shown.
    is_false = {
        name: _is_false(test_set, found[0], errors[name][0])
        for name, found in candidates.items()
    }
    for name in candidates:
        if name == baseline:
            continue
        for key, images in _choices(test_set, errors, baseline, name, is_occluded):
            cases = [
                Case(
                    _read_image(test_set, image),
                    f'{test_set.image_ids[image]}: {gain:+.1f} found{shown}',
                    tuple(
                        _marks(
                            test_set,
                            image,
                            candidates[one][0],
                            errors[one][0],
                            is_false[one],
                        )
                        for one in (baseline, name)
                    ),
                )
                for image, gain in images[:num_cases]
            ]
            if cases:
                path = out / f'cases_{name}_{key}.png'
                draw_cases(cases, (baseline, name), path)
                written.append(path)
    return written


def _choices(test_set, errors, baseline, name, is_occluded):
    """Yield what is shown, and the images with their gains, the clearest first."""
    tables = (test_set.truth, errors[baseline], errors[name], len(test_set.image_ids))
    gains = image_gains(*tables)
    yield 'gains', _clearest(gains)
    yield 'losses', [(image, -loss) for image, loss in _clearest(-gains)]
    if is_occluded is not None:
        yield 'occluded', _clearest(image_gains(*tables, is_occluded))


def _clearest(gains: np.ndarray) -> list[tuple[int, float]]:
    order = np.argsort(-gains, kind='stable')
    return [(int(image), float(gains[image])) for image in order if gains[image] > 0]


def _read_image(test_set: DetectionTestSet, image: int) -> np.ndarray:
    path = test_set.dataset.get_data_info(image)['img_path']
    try:
        return mmcv.imread(path, channel_order='rgb')
    except Exception as error:  # OpenCV and mmcv raise what they like
        raise UserError(f'{path}: expected an image, it cannot be read') from error


def _is_false(
    test_set: DetectionTestSet, found: FoundObjects, errors: Errors
) -> np.ndarray:
    """Return (D,) which of the surest detections are false."""
    is_sure = surest_detections(test_set.truth, found, len(test_set.classes))
    return is_sure & (errors.kinds != RIGHT) & ~errors.is_left_out


def _marks(
    test_set: DetectionTestSet,
    image: int,
    found: FoundObjects,
    errors: Errors,
    is_false: np.ndarray,
) -> list[Mark]:
    truth, classes = test_set.truth, test_set.classes
    marks = []
    for row in np.flatnonzero(truth.image_index == image):
        state = int(errors.states[row])
        if state != IGNORED:
            text = classes[truth.labels[row]]
            marks.append(Mark(tuple(truth.boxes[row]), STATES[state], text))
    for row in np.flatnonzero(is_false & (found.image_index == image)):
        kind = DETECTION_KINDS[errors.kinds[row]]
        text = f'{classes[found.labels[row]]} ({kind})'
        marks.append(Mark(tuple(found.boxes[row]), 'false', text))
    return marks
