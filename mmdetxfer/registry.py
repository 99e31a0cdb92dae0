"""The child registries that this package fills, each a child of mmengine's root.

Our types are written ``mmdetxfer.Name`` in a config of any host: mmengine imports this
module when it first meets the scope, and a registry imports its ``locations`` when it
is first asked, so that no ``custom_imports`` is needed.
"""

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import Registry

RUNNERS = Registry(
    'runner',
    parent=MMENGINE_RUNNERS,
    scope='mmdetxfer',
    locations=['mmdetxfer.engine'],
)
LOOPS = Registry(
    'loop',
    parent=MMENGINE_LOOPS,
    scope='mmdetxfer',
    locations=['mmdetxfer.engine'],
)
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmdetxfer',
    locations=['mmdetxfer.engine'],
)
