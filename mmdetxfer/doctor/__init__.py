"""Looks at an installation and says what would stop a training, with the cure.

Standard library only: it must run where half of the packages are missing or broken.
"""

from mmdetxfer.doctor.checks import Finding, findings
from mmdetxfer.doctor.observing import Observed, observe
from mmdetxfer.doctor.report import main, table

__all__ = ['Finding', 'Observed', 'findings', 'main', 'observe', 'table']
