"""Parts of a study: what it can do, one file each.

A part says for which targets it needs transfers, or that it needs probes, and renders
its section of whatever was found. What runs is the package's own tools; what a part
adds is the reading.
"""

from mmdetxfer.errors import UserError
from mmdetxfer.study.parts.classification import ClassificationPart
from mmdetxfer.study.parts.cost import CostPart
from mmdetxfer.study.parts.detection import DetectionPart
from mmdetxfer.study.parts.errors import ErrorsPart
from mmdetxfer.study.parts.part import Part
from mmdetxfer.study.parts.pretraining import PretrainingPart
from mmdetxfer.study.parts.probes import ProbesPart
from mmdetxfer.study.parts.segmentation import SegmentationPart
from mmdetxfer.study.parts.transferability import TransferabilityPart
from mmdetxfer.study.parts.trials import TrialsPart
from mmdetxfer.study.reading import Study

# In the order of the report.
PARTS: tuple[Part, ...] = (
    CostPart(),
    DetectionPart(),
    ErrorsPart(),
    SegmentationPart(),
    ClassificationPart(),
    ProbesPart(),
    TransferabilityPart(),
    PretrainingPart(),
    TrialsPart(),
)


def parts_of(study: Study) -> list[Part]:
    """Return the parts of a study; a name that is not known is refused.

    Args:
        study: The study.
    """
    if study.parts is None:
        return list(PARTS)
    known = [one.name for one in PARTS]
    unknown = [name for name in study.parts if name not in known]
    if unknown:
        raise UserError(
            f'parts: expected some of {", ".join(known)}, got {", ".join(unknown)}'
        )
    return [one for one in PARTS if one.name in study.parts]


__all__ = ['PARTS', 'Part', 'parts_of']
