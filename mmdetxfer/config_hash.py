"""A hash of what a config says: what was made by another one is recognised by it."""

import hashlib
import json
from pathlib import Path

from mmengine.config import Config


def config_hash(path: str | Path) -> str:
    """Return a hash of a config, all that it inherits, comments left out."""
    content = Config.fromfile(path).to_dict()
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
