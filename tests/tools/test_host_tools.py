"""The hosts' own analysis tools work on our configs and on our checkpoints.

The package has no copies of them: a user calls ``mim run mmdet get_flops CONFIG``, and
mim runs the host's file as it is run here. test_mim.py calls one through mim itself.
(mmseg 1.2.2's get_flops runs with no config on mmengine 0.10.7: 'cannot be both set'.)
"""

import importlib.util
import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tool_runner import CLS, DET

HOSTS = {CLS: 'mmpretrain', DET: 'mmdet'}


def host_tool(config: Path, name: str) -> Path:
    """Return the file that ``mim run HOST NAME`` finds by its name."""
    package = Path(importlib.util.find_spec(HOSTS[config]).origin).parent
    found = sorted((package / '.mim' / 'tools').rglob(f'{name}.py'))
    return min(found, key=lambda path: len(path.parts))


@pytest.mark.parametrize('config', [CLS, DET])
def test_get_flops_counts_the_parameters_of_our_models(tools, here, trained, config):
    """Their number is that of the elements in the checkpoint that are no buffers."""
    printed = tools(host_tool(config, 'get_flops'), config, cwd=here).printed
    assert re.search(r'Flops: *[\d.]+ *[GMK]', printed)
    named = re.search(r'Params: *([\d.]+) *([MK])', printed)
    state = torch.load(trained[config] / 'epoch_2.pth', weights_only=True)['state_dict']
    buffers = ('running_mean', 'running_var', 'num_batches_tracked')
    counted = sum(t.numel() for key, t in state.items() if not key.endswith(buffers))
    unit = {'M': 1e6, 'K': 1e3}[named[2]]
    assert float(named[1]) * unit == pytest.approx(counted, rel=0.01)


def test_browse_dataset_paints_every_training_image(tools, here):
    """The VOC world has 8 training images with boxes in its tiny size."""
    arguments = ('--not-show', '--output-dir', 'painted')
    tools(host_tool(DET, 'browse_dataset'), DET, *arguments, cwd=here)
    root = here / Config.fromfile(DET).data_root / 'VOC2007'
    wanted = (root / 'ImageSets/Main/trainval.txt').read_text().split()
    assert sorted(path.stem for path in (here / 'painted').iterdir()) == wanted


def test_a_confusion_matrix_is_made_from_a_checkpoint_of_ours(tools, here, trained):
    """The stock Runner reads it, plain data alone; each test image is counted once."""
    checkpoint = trained[CLS] / 'epoch_2.pth'
    arguments = (CLS, checkpoint, '--out', 'matrix.pkl')
    tools(host_tool(CLS, 'confusion_matrix'), *arguments, cwd=here)
    matrix = pickle.loads((here / 'matrix.pkl').read_bytes())
    data = here / 'work_dirs/world_tiny/ILSVRC/Data/CLS-LOC'
    assert matrix.shape == (1000, 1000)
    assert int(matrix.sum()) == len((data / 'meta/val.txt').read_text().split()) // 2


def test_cocos_own_error_analysis_reads_results(tools, here):
    """A picture for each of two categories and for both together, in two sizes."""
    boxes = [[10, 10, 40, 40], [60, 60, 30, 30]]
    truth = dict(
        images=[dict(id=1, file_name='1.jpg', width=200, height=200)],
        categories=[
            dict(id=k, name=name, supercategory='animal')
            for k, name in ((1, 'cat'), (2, 'dog'))
        ],
        annotations=[
            dict(id=k, image_id=1, category_id=k, bbox=box, area=900, iscrowd=0)
            for k, box in enumerate(boxes, 1)
        ],
    )
    found = [
        dict(image_id=1, category_id=3 - k, bbox=box, score=0.5)
        for k, box in enumerate(boxes, 1)
    ]
    (here / 'truth.json').write_text(json.dumps(truth))
    (here / 'found.json').write_text(json.dumps(found))
    tool = host_tool(DET, 'coco_error_analysis')
    tools(tool, 'found.json', 'errors', '--ann', 'truth.json', cwd=here)
    names = {path.name for path in (here / 'errors' / 'bbox').iterdir()}
    assert {f'bbox-allclass-{size}.png' for size in ('allarea', 'small')} <= names
    assert {'bbox-cat-allarea.png', 'bbox-dog-allarea.png'} <= names
