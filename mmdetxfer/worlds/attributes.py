"""The attributes file: what the formats have no field for, one JSON line an image.

``attributes_<split>.jsonl`` lies at the root of each format. A line holds ``image_id``
(as the format names the image), ``scene_class`` (or null), ``num_objects`` and
``objects``: for each object of the scene, in the scene's order, its category key,
outline, texture family, scale, boxes, occlusion and flags (fields of ``SceneObject``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .scenes import Scene
from .writing import write_text


def attributes_record(image_id: str, scene: Scene) -> dict[str, Any]:
    """Return the line of one image as plain values."""
    return dict(
        image_id=image_id,
        scene_class=scene.scene_class,
        num_objects=len(scene.objects),
        objects=[dict(vars(item)) for item in scene.objects],
    )


def write_attributes(root: Path, split: str, records: Sequence[dict[str, Any]]) -> None:
    """Write ``attributes_<split>.jsonl`` under ``root``."""
    lines = [json.dumps(record) + '\n' for record in records]
    write_text(root / f'attributes_{split}.jsonl', ''.join(lines))


def drawn_counts(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return what the images of these records hold: the counts of a writer."""
    objects = [item for record in records for item in record['objects']]
    return dict(
        images=len(records),
        instances=len(objects),
        difficult=sum(item['is_difficult'] for item in objects),
        crowds=sum(item['is_crowd'] for item in objects),
    )
