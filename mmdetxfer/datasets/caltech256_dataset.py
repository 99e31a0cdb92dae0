"""Caltech-256, which has no official split: the package's own, written out and hashed.

``256_ObjectCategories`` has a folder for each of 256 objects, ``001.ak47`` and so on,
and ``257.clutter``. Li et al. 2019 train on 60 images a class; which ones, nobody
tells. Here an image's place is that of the SHA-256 of seed, folder and file name among
its class, so that more training images hold the fewer ones, on every machine.
"""

import hashlib
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdetxfer.datasets.column_store import default_cache_dir
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS
from mmdetxfer.text_files import write_text_atomically

CLUTTER = '257.clutter'
NUM_IMAGES = 30607
SPLITS = ('train', 'test')
_SUFFIX = '.jpg'


@DATASETS.register_module()
class Caltech256Dataset(BaseDataset):
    """Images with the class of their folder.

    In a config of mmpretrain::

        dict(
            type='mmdetxfer.Caltech256Dataset',
            data_root='data/caltech256/256_ObjectCategories',
            split='train',
        )

    Args:
        data_root: The folder of the classes' folders.
        split: 'train' or 'test'.
        num_train: Training images of each class; all others are for the test.
        seed: Of the split.
        has_clutter: Whether the 257th folder is a class too.
        num_expected: Images of all folders, clutter too; fewer are a partial download.
            None takes what is there, as of a set in the same layout.
        lists_dir: Where the lists of both parts are written,
            ``~/.cache/mmdetxfer/splits`` by default.
        **kwargs: Of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        num_train: int = 60,
        seed: int = 0,
        has_clutter: bool = False,
        num_expected: int | None = NUM_IMAGES,
        lists_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the settings."""
        if split not in SPLITS or num_train < 1:
            raise UserError(
                f'Caltech256Dataset: expected split {" or ".join(SPLITS)} and '
                f'num_train from 1, got {split!r} and {num_train}'
            )
        self.split, self.num_train, self.seed = split, num_train, seed
        self.has_clutter, self.num_expected = has_clutter, num_expected
        default = default_cache_dir().parent / 'splits'
        self.lists_dir = Path(lists_dir) if lists_dir else default
        kwargs.setdefault('data_prefix', dict(img=''))
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return the images of the part, by class, in the order of their names."""
        folders = self._folders()
        self._metainfo['classes'] = tuple(folders)
        parts: dict[str, list[tuple[str, int]]] = {split: [] for split in SPLITS}
        for label, (folder, names) in enumerate(folders.items()):
            if len(names) <= self.num_train:
                raise UserError(
                    f'{self.data_root}: expected more than {self.num_train} images in '
                    f'{folder}, to have some left for the test, got {len(names)}'
                )
            order = sorted(names, key=lambda name: self._draw(f'{folder}/{name}'))
            for split, own in (
                ('train', order[: self.num_train]),
                ('test', order[self.num_train :]),
            ):
                parts[split] += [(f'{folder}/{name}', label) for name in sorted(own)]
        self._write_lists(parts)
        root = Path(self.data_root)
        return [
            dict(img_path=str(root / name), gt_label=label)
            for name, label in parts[self.split]
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class of an image."""
        return [self.get_data_info(idx)['gt_label']]

    def _folders(self) -> dict[str, list[str]]:
        root = Path(self.data_root)
        if not root.is_dir():
            raise UserError(f'{root}: expected a folder of classes, there is none')
        found = {
            folder.name: sorted(
                one.name for one in folder.iterdir() if one.suffix == _SUFFIX
            )
            for folder in sorted(root.iterdir())
            if folder.is_dir()
        }
        count = sum(map(len, found.values()))
        if self.num_expected is not None and count != self.num_expected:
            raise UserError(
                f'{root}: expected {self.num_expected} images, got {count} in '
                f'{len(found)} folders; download it again, or set num_expected for '
                'another set'
            )
        if not self.has_clutter:
            found.pop(CLUTTER, None)
        if not found:
            raise UserError(f'{root}: expected folders of classes, there is none')
        return found

    def _draw(self, name: str) -> str:
        return hashlib.sha256(f'{self.seed}/{name}'.encode()).hexdigest()

    def _write_lists(self, parts: dict[str, list[tuple[str, int]]]) -> None:
        """Write both lists, named by their hash, and say so."""
        texts = {
            split: ''.join(f'{name}\n' for name, _ in rows)
            for split, rows in parts.items()
        }
        digest = hashlib.sha256('\n'.join(texts.values()).encode()).hexdigest()
        folder = self.lists_dir / f'caltech256_{digest[:16]}'
        folder.mkdir(parents=True, exist_ok=True)
        for split, text in texts.items():
            path = folder / f'{split}.txt'
            if not path.is_file():
                write_text_atomically(path, text)
        self._metainfo['split_sha256'] = digest
        print_log(
            f"{self.data_root}: this package's own split, {self.num_train} a class for "
            f'training, seed {self.seed}: {len(parts["train"])} and '
            f'{len(parts["test"])} images of {len(self._metainfo["classes"])} classes; '
            f'lists with SHA-256 {digest} in {folder}',
            'current',
        )
