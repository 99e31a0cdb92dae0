"""The tiny configs of the three hosts, killed in mid-epoch, go on bit for bit."""

import pytest
from mmengine.config import Config
from toy_training import train

from mmdetxfer import config_path
from mmdetxfer.checkpoints.comparing import differing_parts

# Config, last checkpoint, iteration of the kill. The detector has 2 batches an
# epoch, the classifier 3: iterations 3 and 5 lie within the second epoch.
HOSTS = [
    ('tiny/tiny_det_retinanet-r18_1xb4-2e_world-voc.py', 'iter_4.pth', 3),
    ('tiny/tiny_seg_fcn-r18_1xb4-8i_world-voc.py', 'iter_8.pth', 6),
    ('tiny/tiny_cls_r18_1xb8-2e_world-imagenet.py', 'iter_6.pth', 5),
]


def config(name, world, folder):
    """Load a tiny config on the world of the test, saved at every iteration."""
    cfg = Config.fromfile(config_path(name))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        root = loader.dataset.data_root
        loader.dataset.data_root = root.replace('work_dirs/world_tiny', str(world))
        loader.persistent_workers = True
    if cfg.default_scope == 'mmpretrain':
        cfg.train_dataloader.collate_fn = dict(type='default_collate')
        cfg.val_dataloader.collate_fn = dict(type='default_collate')
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=1)
    cfg.train_cfg.val_interval = 100
    cfg.custom_hooks, cfg.work_dir = [], str(folder)
    cfg.experiment_name, cfg.launcher, cfg.log_level = folder.name, 'none', 'WARNING'
    return cfg


@pytest.mark.parametrize(('name', 'last', 'killed_at'), HOSTS)
def test_a_tiny_training_of_each_host_resumes_exactly(
    tiny_world, tmp_path, name, last, killed_at
):
    whole, run = tmp_path / 'whole', tmp_path / 'run'
    train(config(name, tiny_world, whole))
    train(config(name, tiny_world, run), kill=('train_iter', killed_at))
    train(config(name, tiny_world, run), 'auto')
    assert differing_parts(run / last, whole / last) == []
    # Two states of one training differ, in most of their tensors.
    before = f'iter_{killed_at}.pth'
    assert len(differing_parts(run / last, whole / before)) > 50
