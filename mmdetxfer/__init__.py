"""Which pre-training to start from, and why: transfer studies for OpenMMLab's hosts.

Importing this package alone imports no host, no torch and no numpy.
"""

from mmdetxfer.installed_configs import config_path

__version__ = '0.1.0'

__all__ = ['__version__', 'config_path']
