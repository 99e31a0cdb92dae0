"""Small tables of true and found objects."""

import numpy as np

from mmdetxfer.scoring import FoundObjects, TrueObjects

WIDE = (0, 0, 10, 10)


def truths(*rows, is_inclusive=False) -> TrueObjects:
    """Make a table of (image, label, box) or (image, label, box, is ignored)."""
    rows = [(*row, False)[:4] for row in rows]
    return TrueObjects(
        image_index=np.array([row[0] for row in rows], dtype=int),
        labels=np.array([row[1] for row in rows], dtype=int),
        boxes=np.array([row[2] for row in rows], dtype=float).reshape(-1, 4),
        is_ignored=np.array([row[3] for row in rows], dtype=bool),
        is_inclusive=is_inclusive,
    )


def found(*rows) -> FoundObjects:
    """Make a table of (image, label, box, score)."""
    return FoundObjects(
        image_index=np.array([row[0] for row in rows], dtype=int),
        labels=np.array([row[1] for row in rows], dtype=int),
        boxes=np.array([row[2] for row in rows], dtype=float).reshape(-1, 4),
        scores=np.array([row[3] for row in rows], dtype=float),
    )


def random_tables(seed, num_images=40, num_classes=3):
    """Objects, and detections near them and elsewhere; no two scores are equal."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 200, (150, 2))
    corners = np.concatenate([starts, starts + rng.uniform(5, 90, (150, 2))], axis=1)
    truth = TrueObjects(
        rng.integers(0, num_images, 150),
        rng.integers(0, num_classes, 150),
        corners.astype(np.float32),
        rng.random(150) < 0.2,
        is_inclusive=True,
    )
    rows = rng.integers(0, 150, 600)
    moved = corners[rows] + rng.normal(0, 6, (600, 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    answers = FoundObjects(
        truth.image_index[rows],
        np.where(rng.random(600) < 0.8, truth.labels[rows], 0),
        moved.astype(np.float32),
        rng.permutation(600) / 600,
    )
    return truth, answers
