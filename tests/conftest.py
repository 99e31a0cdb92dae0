"""What all tests share: an order, and hosts that do once what they would do again."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# Their files take longest: begun first, they leave no worker alone at the end.
FIRST = ('tools', 'study', 'engine', 'setup_env')


def pytest_sessionstart():
    # Little of what is imported is ever garbage.
    gc.disable()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.parent.name not in FIRST)


def pytest_collection_finish():
    """Where a host is imported; the pure layer is tested without."""
    gc.enable()
    if 'mmengine.config' in sys.modules:
        import hosts_once

        hosts_once.parse_and_format_once()
        hosts_once.pass_over_imports()
