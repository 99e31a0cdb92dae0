"""A data set that is there as a whole, or named as a partial download."""

from pathlib import Path
from typing import Any

from mmdetxfer.datasets.guarded_dataset import GuardedDataset
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS


@DATASETS.register_module()
class WholeDataset(GuardedDataset):
    """Counts images and looks for their files when it is built.

    In a config: ``dataset=dict(type='mmdetxfer.WholeDataset', num_expected=19850,
    dataset=dict(type='SUN397', ...))``. Everything else is the wrapped data set's own;
    an image that cannot be read is named, as by ``GuardedDataset``.

    Args:
        dataset: Any of mmpretrain's, or its config.
        num_expected: Its images; None takes as many as it names.
    """

    def __init__(self, dataset: Any, num_expected: int | None = None) -> None:
        """Count."""
        super().__init__(dataset)
        name = type(self._inner).__name__
        if num_expected is not None and len(self) != num_expected:
            raise UserError(
                f'{name}: expected {num_expected} images, its lists name {len(self)}; '
                'download it again, or set num_expected=None for another set'
            )
        paths = [self.get_data_info(k)['img_path'] for k in range(len(self))]
        missing = [path for path in paths if not Path(path).is_file()]
        if missing:
            raise UserError(
                f'{name}: expected {len(paths)} images, {len(paths) - len(missing)} '
                f'are there, without {missing[0]}; download it again'
            )
