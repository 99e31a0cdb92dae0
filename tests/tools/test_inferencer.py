"""One image in, picture out: mmdet's inferencer with our configs and checkpoints."""

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdetxfer.installed_configs import config_path

CONFIG = config_path('sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py')
# In a process that has imported nothing of ours but by the names in the config.
INFER = """
import sys
assert 'mmdetxfer' not in sys.modules
from mmdet.apis import DetInferencer
inferencer = DetInferencer(sys.argv[1], sys.argv[2], device='cpu')
found = inferencer(sys.argv[3], out_dir=sys.argv[4], pred_score_thr=0.0)
assert not any(name.startswith('mmdetxfer.engine') for name in sys.modules)
print('boxes', len(found['predictions'][0]['scores']))
"""


def test_mmdets_inferencer_needs_no_imports_of_ours(tools, tmp_path):
    register_all_modules(init_default_scope=False)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(CONFIG).model)
    meta = dict(dataset_meta=dict(classes=tuple(f'c{k}' for k in range(20))))
    checkpoint = dict(meta=meta, state_dict=model.state_dict())
    torch.save(checkpoint, tmp_path / 'weights.pth')
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    names = ('weights.pth', 'image.png', 'out')
    arguments = [str(tmp_path / name) for name in names]
    (tmp_path / 'infer.py').write_text(INFER)
    done = tools(tmp_path / 'infer.py', str(CONFIG), *arguments, cwd=tmp_path)
    assert int(done.printed.split('boxes')[1].split()[0]) > 0
    picture = cv2.imread(str(tmp_path / 'out' / 'vis' / 'image.png'))
    assert picture.shape == image.shape and (picture != image).any()
