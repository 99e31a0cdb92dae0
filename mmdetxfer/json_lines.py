"""Records as JSON lines."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from mmdetxfer.text_files import write_text_atomically


def write_json_lines(path: Path, rows: Iterable[dict]) -> None:
    """Replace a file by a line for each row; what is no number becomes null."""
    lines = (json.dumps(_plain(row), allow_nan=False) + '\n' for row in rows)
    write_text_atomically(path, ''.join(lines))


def _plain(row: dict) -> dict:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
