"""The child registries that this package fills, each a child of mmengine's root.

Our types are written ``mmdetxfer.Name`` in a config of any host: mmengine imports this
module when it first meets the scope, and a registry imports its ``locations`` when it
is first asked, so that no ``custom_imports`` is needed.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
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
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmdetxfer',
    locations=['mmdetxfer.datasets'],
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='mmdetxfer',
    locations=['mmdetxfer.datasets'],
)
# Apart from the data sets, since they are children of mmdet's: a training in another
# host must not import mmdet for a data set.
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmdetxfer',
    locations=[
        'mmdetxfer.datasets.chip_transforms',
        'mmdetxfer.datasets.segmentation_transforms',
    ],
)
MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmdetxfer',
    locations=['mmdetxfer.models'],
)
TASK_UTILS = Registry(
    'task util',
    parent=MMENGINE_TASK_UTILS,
    scope='mmdetxfer',
    locations=['mmdetxfer.models'],
)
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmdetxfer',
    locations=['mmdetxfer.evaluation'],
)
EVALUATOR = Registry(
    'evaluator',
    parent=MMENGINE_EVALUATOR,
    scope='mmdetxfer',
    locations=['mmdetxfer.evaluation.linear_probe_evaluator'],
)
