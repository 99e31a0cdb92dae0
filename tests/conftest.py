"""What all tests share: hosts that do once what they would do again and again."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def pytest_sessionstart():
    # Little of what is imported is ever garbage.
    gc.disable()


def pytest_collection_finish():
    """Where a host is imported; the pure layer is tested without."""
    gc.enable()
    if 'mmengine.config' in sys.modules:
        import hosts_once

        hosts_once.parse_and_format_once()
        hosts_once.pass_over_imports()
