"""A hash of what a config says: what was made by another one is recognised by it."""

import hashlib
import json
from pathlib import Path

from mmdetxfer.config_files import read_config_file


def config_hash(path: str | Path) -> str:
    """Return a hash of a config, all that it inherits, comments left out."""
    content = read_config_file(path).to_dict()
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
