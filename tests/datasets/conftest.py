"""Makes the toy images importable for the tests beside it, and for spawned workers."""

import sys
from pathlib import Path

for folder in ('engine', 'datasets'):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
