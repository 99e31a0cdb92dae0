"""Parts of models: what training on chips asks of a two-stage detector of mmdet."""

from mmdetxfer.models.chip_roi_head import ChipRoIHead
from mmdetxfer.models.chip_rpn import ChipAssigner, ChipRPNHead
from mmdetxfer.models.decoupled_loss import DecoupledLoss
from mmdetxfer.models.deform_conv import UndilatedOffsetDeformConv
from mmdetxfer.models.deform_roi_extractor import DeformRoIExtractor
from mmdetxfer.models.joined_stages import JoinedStages
from mmdetxfer.models.matrix_roi_extractor import MatrixRoIExtractor
from mmdetxfer.models.pre_act_res_net import PreActResNet
from mmdetxfer.models.soft_sampled_bbox_head import SoftSampledBBoxHead
from mmdetxfer.models.valid_range_tta import ValidRangeTTA

__all__ = [
    'ChipAssigner',
    'ChipRPNHead',
    'ChipRoIHead',
    'DecoupledLoss',
    'DeformRoIExtractor',
    'JoinedStages',
    'MatrixRoIExtractor',
    'PreActResNet',
    'SoftSampledBBoxHead',
    'UndilatedOffsetDeformConv',
    'ValidRangeTTA',
]
