"""Published weights whose input convention is known from the host configs.

The table holds what the hosts' own configs say that start from these addresses, by
majority where a few of them differ; an address of which they disagree (resnest) or that
none of them uses is left out, and its convention must be stated by the user. For
torchvision it is what torchvision's transforms of the weights say.
"""

from fnmatch import fnmatchcase

from mmdetxfer.checkpoints.conventions import NAMED_CONVENTIONS, InputConvention

_OPENMMLAB = 'https://download.openmmlab.com'
_MMSEG = f'{_OPENMMLAB}/mmsegmentation/v0.5/pretrain'

# Pattern of addresses -> name of the convention, None for an exception that has none
# of the names. The first match decides.
KNOWN_ADDRESSES: dict[str, str | None] = {
    'torchvision://efficientnet_v2_l*': 'timm_half',
    'torchvision://vgg16.imagenet1k_features': None,
    'torchvision://*': 'torchvision',
    'mmcls://mobilenet_v2': 'torchvision',
    'open-mmlab://contrib/mobilenet_v3_*': 'torchvision',
    'open-mmlab://contrib/resnet50_gn': 'torchvision',
    'open-mmlab://jhu/*': 'torchvision',
    'open-mmlab://mmdet/mobilenet_v2': 'torchvision',
    'open-mmlab://msra/hrnetv2_*': 'torchvision',
    'open-mmlab://res2net*': 'torchvision',
    'open-mmlab://resnet*_v1c': 'torchvision',
    'open-mmlab://resnext*': 'torchvision',
    'open-mmlab://detectron2/resnext101_32x8d': 'pycls',
    'open-mmlab://regnetx_*': 'pycls',
    'open-mmlab://detectron2/resnet*_caffe': 'detectron2',
    'open-mmlab://detectron/resnet*_gn': 'detectron2',
    'open-mmlab://detectron/resnet*_caffe': 'caffe',
    'open-mmlab://vgg16_caffe': 'vgg_caffe',
    'open-mmlab://darknet53': 'darknet',
    'https://github.com/SwinTransformer/storage/releases/download/*': 'torchvision',
    f'{_OPENMMLAB}/mmclassification/v0/convnext/*': 'torchvision',
    f'{_OPENMMLAB}/mmclassification/v0/poolformer/*': 'torchvision',
    f'{_OPENMMLAB}/mmdetection/v3.0/rtmdet/cspnext_rsb_pretrain/*': 'pycls',
    f'{_MMSEG}/pidnet/*': 'torchvision',
    f'{_MMSEG}/segformer/*': 'torchvision',
    f'{_MMSEG}/segmenter/*': 'timm_half',
    f'{_MMSEG}/segnext/*': 'torchvision',
    f'{_MMSEG}/stdc/*': 'torchvision',
    f'{_MMSEG}/swin/*': 'torchvision',
    f'{_MMSEG}/twins/*': 'torchvision',
}

_OTHER_NAMES = {
    'modelzoo://': 'torchvision://',
    'openmmlab://': 'open-mmlab://',
    # mmengine's table of renamed models
    'open-mmlab://resnet50_caffe': 'open-mmlab://detectron/resnet50_caffe',
    'open-mmlab://resnet101_caffe': 'open-mmlab://detectron/resnet101_caffe',
}


def convention_of_address(address: str) -> InputConvention | None:
    """Return the convention of a published address, None if it is not known."""
    for former, name in _OTHER_NAMES.items():
        if address.startswith(former):
            address = name + address.removeprefix(former)
    for pattern, convention in KNOWN_ADDRESSES.items():
        if fnmatchcase(address, pattern):
            return NAMED_CONVENTIONS[convention] if convention else None
    return None
