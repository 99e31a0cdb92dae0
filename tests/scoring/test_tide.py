"""TIDE's kinds and gains: as the tidecv package has them, and by hand."""

from dataclasses import fields, replace

import numpy as np
import pytest
from tidecv import TIDE, Data
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import FoundObjects, TrueObjects
from mmdetxfer.scoring.tide import (
    DETECTION_KINDS,
    MISSED,
    OBJECT_STATES,
    find_errors,
)
from mmdetxfer.scoring.tide_gains import error_gains, error_precisions

# Overlaps with WIDE of 0.6, 0.3, 0.1 and 0.05.
CUT, LOW, EDGE, LESS = ((0, 0, 10, height) for height in (6, 3, 1, 0.5))
FAR = (50, 50, 60, 60)


def kinds_of(truth, answers):
    errors = find_errors(truth, answers)
    states = [OBJECT_STATES[state] for state in errors.states]
    return [DETECTION_KINDS[kind] for kind in errors.kinds], states


def as_xywh(box, extra):
    return [box[0], box[1], box[2] - box[0] + extra, box[3] - box[1] + extra]


def tidecv_says(truth, answers, num_classes, num_images):
    """Counts and gains of the tidecv package, gains as shares and not in per cent."""
    data, predictions = Data('truth'), Data('predictions')
    extra = int(truth.is_inclusive)
    for one in (data, predictions):
        for label in range(num_classes):
            one.add_class(label, str(label))
        for image in range(num_images):
            one.add_image(image, str(image))
    for row, image in enumerate(truth.image_index):
        ignored = truth.is_ignored[row]
        add = data.add_ignore_region if ignored else data.add_ground_truth
        box = as_xywh(truth.boxes[row].astype(float), extra)
        add(int(image), int(truth.labels[row]), box=box)
    for row, image in enumerate(answers.image_index):
        box = as_xywh(answers.boxes[row].astype(float), extra)
        score = float(answers.scores[row])
        predictions.add_detection(int(image), int(answers.labels[row]), score, box=box)
    run = TIDE().evaluate(data, predictions, mode=TIDE.BOX)
    counts = {kind.short_name: count for kind, count in run.count_errors().items()}
    gains = {kind.short_name: g / 100 for kind, g in run.fix_main_errors().items()}
    special = run.fix_special_errors()
    names = {'FalsePos': 'FP', 'FalseNeg': 'FN'}
    gains.update({names[kind.short_name]: g / 100 for kind, g in special.items()})
    return counts, run.ap / 100, gains


@pytest.mark.parametrize('seed', range(12))
def test_kinds_and_gains_are_those_of_tidecv(seed):
    truth, answers = random_tables(seed)
    if seed % 2:
        # Boxes that end where their last corner is; at most 100 in an image, which
        # is where tidecv cuts.
        truth = TrueObjects(
            truth.image_index // 3,
            truth.labels,
            truth.boxes,
            truth.is_ignored,
            is_inclusive=False,
        )
        answers = FoundObjects(
            answers.image_index // 3, answers.labels, answers.boxes, answers.scores
        )
    counts, precision, gains = tidecv_says(truth, answers, 3, 40)
    errors = find_errors(truth, answers)
    own = np.bincount(errors.kinds, minlength=len(DETECTION_KINDS))
    assert counts == {
        **dict(zip(DETECTION_KINDS[1:], own[1:], strict=True)),
        'Miss': (errors.states == MISSED).sum(),
    }
    assert all(own > 0)
    found_here = error_precisions(truth, answers, errors, 3)
    assert found_here['AP'] == pytest.approx([precision], abs=1e-6)
    mine = {name: float(gain[0]) for name, gain in error_gains(found_here).items()}
    assert mine == pytest.approx(gains, abs=1e-6)


def test_each_kind_in_its_order():
    """One object of class 0 in each image.

    Right; Loc at 0.3 and at 0.1 exactly; Cls at 0.6 of another class; a second one is
    Dupe; far away Bkg, and 0.05 too; another class at 0.3 is Both.
    """
    truth = truths(*[(image, 0, WIDE) for image in range(8)])
    rows = [(0, 0, WIDE), (1, 0, LOW), (2, 0, EDGE), (3, 1, CUT), (4, 0, WIDE)]
    rows += [(4, 0, CUT), (5, 0, FAR), (6, 0, LESS), (7, 1, LOW)]
    answers = found(*[(*row, 0.9 - k / 100) for k, row in enumerate(rows)])
    kinds, states = kinds_of(truth, answers)
    assert kinds == 'right Loc Loc Cls right Dupe Bkg Bkg Both'.split()
    assert states == 'found Loc Loc Cls found missed missed missed'.split()


def test_a_missed_object_is_cured_by_its_surest_error_alone():
    """Loc (0.8) and Cls (0.9) on one object: curing Loc alone gains nothing.

    Cls cured: 1 of 1 found, the Loc error after it changes nothing: 1. As it is: 0.
    """
    truth = truths((0, 0, WIDE))
    answers = found((0, 0, LOW, 0.8), (0, 1, CUT, 0.9))
    errors = find_errors(truth, answers)
    assert errors.is_curable.tolist() == [False, True]
    assert OBJECT_STATES[errors.states[0]] == 'Cls'
    gains = error_gains(error_precisions(truth, answers, errors, 2))
    assert {k: float(v[0]) for k, v in gains.items()} == dict(
        Cls=1.0, Loc=0.0, Both=0.0, Dupe=0.0, Bkg=0.0, Miss=0.0, FP=0.0, FN=0.0
    )


def test_thresholds_move_what_is_right_and_what_is_background():
    truth = truths((0, 0, WIDE))
    answers = found((0, 0, LOW, 0.9), (0, 1, EDGE, 0.8))
    assert kinds_of(truth, answers)[0] == ['Loc', 'Bkg']
    errors = find_errors(truth, answers, min_overlap=0.25, max_background=0.05)
    assert [DETECTION_KINDS[kind] for kind in errors.kinds] == ['right', 'Both']


def test_within_an_ignored_object_of_its_class_a_detection_is_left_out():
    """Of the first all lies in it, of the second a half, the third is another class."""
    truth = truths((0, 0, WIDE, True), (0, 0, FAR))
    half = (5, 0, 15, 10)
    answers = found((0, 0, LOW, 0.9), (0, 0, half, 0.8), (0, 1, LOW, 0.7))
    errors = find_errors(truth, answers)
    assert errors.is_left_out.tolist() == [True, False, False]
    assert OBJECT_STATES[errors.states[0]] == 'ignored'


def repeated(table, times):
    """Return the table of a test set in which image k is there times[k] times."""
    images = np.repeat(np.arange(len(times)), times)
    rows = [np.flatnonzero(table.image_index == image) for image in images]
    numbers = np.repeat(np.arange(len(images)), [len(own) for own in rows])
    rows = np.concatenate(rows)
    columns = {
        one.name: getattr(table, one.name)[rows]
        for one in fields(table)
        if one.name not in ('image_index', 'is_inclusive')
    }
    return replace(table, image_index=numbers, **columns)


def test_weights_are_repeated_images():
    """Copies of a detection have one score, of which only the last is looked at."""
    truth, answers = random_tables(3, num_images=6)
    times = np.array([1, 0, 2, 3, 1, 1], dtype=np.uint16)
    errors = find_errors(truth, answers)
    weights = np.stack([times, np.ones_like(times)])
    drawn = error_precisions(truth, answers, errors, 3, weights)
    many, more = repeated(truth, times), repeated(answers, times)
    copies = find_errors(many, more)
    whole = error_precisions(many, more, copies, 3)
    plain = error_precisions(truth, answers, errors, 3)
    for name in whole:
        # The copies' precision rises or falls within their score: 3 copies of 600.
        assert drawn[name][0] == pytest.approx(whole[name][0], abs=0.004), name
        assert drawn[name][1] == plain[name][0]
    assert abs(drawn['AP'][0] - plain['AP'][0]) > 0.01


def test_a_class_without_objects_in_a_resample_does_not_count():
    """Class 1 is in image 1 alone, and never found: AP 1 without it, 0.5 with it."""
    truth = truths((0, 0, WIDE), (1, 1, WIDE))
    answers = found((0, 0, WIDE, 0.9), (0, 1, FAR, 0.8))
    errors = find_errors(truth, answers)
    weights = np.array([[2, 0], [1, 1], [0, 2], [0, 0]], dtype=np.uint16)
    drawn = error_precisions(truth, answers, errors, 3, weights)
    np.testing.assert_array_equal(drawn['AP'], [1, 0.5, 0, np.nan])


def test_nothing_found_at_all():
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    answers = found()
    errors = find_errors(truth, answers)
    gains = error_gains(error_precisions(truth, answers, errors, 1))
    assert [OBJECT_STATES[state] for state in errors.states] == ['missed', 'missed']
    # Nothing to find and nothing found is no score, as in the original.
    assert np.isnan(gains['Miss'][0]) and gains['Bkg'][0] == 0
