"""Proposals of a detector for all images of a data set, in files of some images each.

What a negative chip is cut for: places that a first detector takes for objects, and
where none is. A shard is an ``.npz`` file with the boxes of its images (corners in
pixels of the original image, as the detector was trained on them); the manifest says
which weights, scales and images they belong to. A shard that is damaged counts as
missing.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, write_text_atomically

FORMAT_VERSION = 1
MANIFEST = 'proposals.json'
_COLUMNS = ('offsets', 'boxes', 'scores')


@dataclass(frozen=True)
class ProposalSet:
    """What a folder of proposals belongs to.

    Args:
        weights_sha256: Hash of the detector's checkpoint.
        scales: Sizes that images were resized to, as text.
        num_images: Images of the data set.
        images_sha256: Hash of their ids, in order.
        max_per_scale: Proposals of an image and scale, at most.
        iou_threshold: Of the suppression over all scales.
        images_per_shard: Images of a file.
    """

    weights_sha256: str
    scales: str
    num_images: int
    images_sha256: str
    max_per_scale: int
    iou_threshold: float
    images_per_shard: int

    @property
    def num_shards(self) -> int:
        """How many files there are when all are done."""
        return -(-self.num_images // self.images_per_shard)

    def images_of(self, shard: int) -> range:
        """Return the images of a shard."""
        first = shard * self.images_per_shard
        return range(first, min(first + self.images_per_shard, self.num_images))


def hash_of_ids(image_ids: Sequence) -> str:
    """Return a hash of a list of ids."""
    text = '\0'.join(str(one) for one in image_ids)
    return hashlib.sha256(text.encode()).hexdigest()


def open_folder(folder: Path, wanted: ProposalSet) -> None:
    """Make the folder's manifest, or check that it is of the very same proposals."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {'version': FORMAT_VERSION, **asdict(wanted)}
    path = folder / MANIFEST
    if not path.is_file():
        write_text_atomically(path, json.dumps(content, indent=1) + '\n')
        return
    found = json.loads(path.read_text())
    other = [key for key in content if found.get(key) != content[key]]
    if other:
        raise UserError(
            f'{folder}: it holds proposals with another {", ".join(other)} '
            f'({found.get(other[0])}, not {content[other[0]]}); name another folder'
        )


def shard_path(folder: Path, shard: int) -> Path:
    """Return where a shard lies."""
    return folder / f'shard_{shard:05d}.npz'


def write_shard(folder: Path, shard: int, boxes: list, scores: list) -> None:
    """Write the proposals of a shard's images, in one step."""
    counts = [len(one) for one in scores]
    path = shard_path(folder, shard)
    temporary = path.with_name(f'{path.stem}{TEMPORARY_SUFFIX}.npz')
    np.savez(
        temporary,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.concatenate([*boxes, np.zeros((0, 4))]).astype(np.float32),
        scores=np.concatenate([*scores, np.zeros(0)]).astype(np.float32),
    )
    temporary.replace(path)


def read_shard(folder: Path, shard: int, num_images: int) -> dict | None:
    """Return the columns of a shard, None if it is missing or damaged."""
    try:
        with np.load(shard_path(folder, shard), allow_pickle=False) as content:
            columns = {name: content[name] for name in _COLUMNS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return columns if len(columns['offsets']) == num_images + 1 else None


def read_proposals(
    folder: str | Path, image_ids: Sequence
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N + 1,) offsets and (M, 4) boxes for N images.

    Args:
        folder: As ``tools/misc/extract_proposals.py`` filled it.
        image_ids: The images of the data set, in order.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f'{folder}: expected proposals with {MANIFEST}, there is none; make them '
            'with tools/misc/extract_proposals.py'
        )
    content = json.loads(path.read_text())
    if content.pop('version', None) != FORMAT_VERSION:
        raise UserError(f'{path}: expected version {FORMAT_VERSION}; make them again')
    wanted = ProposalSet(**content)
    if wanted.images_sha256 != hash_of_ids(image_ids):
        raise UserError(
            f'{folder}: its proposals are of another list of {wanted.num_images:,} '
            f'images than the {len(image_ids):,} of the data set; extract them with '
            'this config'
        )
    shards = [
        read_shard(folder, k, len(wanted.images_of(k)))
        for k in range(wanted.num_shards)
    ]
    missing = [k for k, columns in enumerate(shards) if columns is None]
    if missing:
        raise UserError(
            f'{folder}: {len(missing)} of {len(shards)} shards are missing or damaged, '
            f'first {shard_path(folder, missing[0]).name}; run '
            'tools/misc/extract_proposals.py again, it makes only these'
        )
    counts = np.concatenate([np.diff(columns['offsets']) for columns in shards])
    boxes = np.concatenate([columns['boxes'] for columns in shards])
    return np.concatenate([[0], np.cumsum(counts)]), boxes
