"""Look whether this installation can train: one table, each problem with its cure."""

import sys
from pathlib import Path

# In a checkout this must run before, and without, any installation.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from mmdetxfer.doctor import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
