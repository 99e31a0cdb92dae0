"""Features whose classes overlap, along directions of very different spread."""

import numpy as np


def overlapping(num_images, num_features, num_classes, seed=0):
    """Return features in single precision and labels, which no line separates."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(num_images, num_features)) @ rng.normal(
        size=(num_features, num_features)
    )
    features = (mixed * rng.uniform(0.01, 10, num_features) + 3).astype(np.float32)
    weights = rng.normal(size=(num_features, num_classes)) / np.sqrt(num_features)
    logits = scaled(features) @ weights
    labels = (logits + 2 * rng.gumbel(size=logits.shape)).argmax(1)
    labels[:num_classes] = np.arange(num_classes)
    return features, labels


def scaled(features, reference=None):
    """Return features less the mean, divided by the deviation, in double precision."""
    own = np.asarray(features, dtype=np.float64)
    base = own if reference is None else np.asarray(reference, dtype=np.float64)
    return (own - base.mean(0)) / base.std(0)
