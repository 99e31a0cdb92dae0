"""Features on the disk: shards of images for each layer, and a manifest.

The manifest says what the features are of: the weights, the layers and their pooling,
the preprocessing, the images. A folder holds one such thing; another is refused by
name. Each layer has a folder of ``.npy`` files of some images each, which appear whole,
with their hash beside them; one that is damaged counts as missing.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmdetxfer.checkpoints.writing import recorded_sha256, sha256_path
from mmdetxfer.errors import UserError
from mmdetxfer.probes.feature_set import FeatureSet
from mmdetxfer.text_files import TEMPORARY_SUFFIX, sha256_of_file, write_text_atomically

# Raised by hand when features of the same would be others.
FORMAT_VERSION = 2
MANIFEST = 'features.json'
# Features of several files that are joined in memory; more are joined on the disk.
_MOST_IN_MEMORY = 1 << 28


@dataclass(frozen=True)
class FeatureManifest:
    """What a folder of features is of.

    Args:
        weights: Hash of the checkpoint's bytes, or what else names the weights.
        network: Hash of the config of the network, and options that change it.
        preprocessing: The pipeline and the input convention, as text.
        layers: Names of layers with their pooling, such as 'Conv5 1x1'.
        image_ids: The images, in order.
        labels: Their classes from 0.
        classes: Names of the classes.
        images_per_shard: Images of a file.
        batch_size: Images that went through the network at a time.
    """

    weights: str
    network: str
    preprocessing: str
    layers: tuple[str, ...]
    image_ids: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    images_per_shard: int
    batch_size: int

    @property
    def num_shards(self) -> int:
        """How many files a layer has when all are done."""
        return -(-len(self.image_ids) // self.images_per_shard)

    def images_of(self, shard: int) -> range:
        """Return the images of a shard."""
        first = shard * self.images_per_shard
        return range(first, min(first + self.images_per_shard, len(self.image_ids)))


def layer_folder(folder: Path, layer: str) -> Path:
    """Return where the shards of a layer lie."""
    return folder / layer.replace(' ', '-')


def shard_path(folder: Path, layer: str, shard: int) -> Path:
    """Return where a shard lies."""
    return layer_folder(folder, layer) / f'shard_{shard:05d}.npy'


def open_features(folder: Path, wanted: FeatureManifest) -> None:
    """Make the folder's manifest, or check that it is of the very same features."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(json.dumps({'version': FORMAT_VERSION, **asdict(wanted)}))
    path = folder / MANIFEST
    if path.is_file():
        found = _manifest_at(path)
        other = [key for key in content if found.get(key) != content[key]]
        if other:
            raise UserError(
                f'{folder}: it holds features of another {" and another ".join(other)}'
                '; name another folder'
            )
        return
    write_text_atomically(path, json.dumps(content) + '\n')


def read_manifest(folder: str | Path) -> FeatureManifest:
    """Return what a folder is of."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UserError(
            f'{folder}: expected features with {MANIFEST}, there is none; make them '
            'with tools/extract_features.py'
        )
    content = _manifest_at(path)
    if content.pop('version', None) != FORMAT_VERSION:
        raise UserError(f'{path}: expected version {FORMAT_VERSION}; make them again')
    parts = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    try:
        return FeatureManifest(**parts)
    except TypeError as error:
        raise UserError(f'{path}: {error}; make them again') from error


def write_shard(folder: Path, layer: str, shard: int, features: np.ndarray) -> None:
    """Write the features of a shard's images, in one step; then their hash."""
    path = shard_path(folder, layer, shard)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with open(temporary, 'wb') as stream:
        np.save(stream, np.ascontiguousarray(features, dtype=np.float32))
    digest = sha256_of_file(temporary)
    sha256_path(path).unlink(missing_ok=True)
    temporary.replace(path)
    write_text_atomically(sha256_path(path), f'{digest}  {path.name}\n')


def remove_shard(folder: Path, layer: str, shard: int) -> None:
    """Remove a shard and its hash, if they are there."""
    path = shard_path(folder, layer, shard)
    for one in (sha256_path(path), path):
        one.unlink(missing_ok=True)


def is_whole(folder: Path, layer: str, shard: int) -> bool:
    """Return whether a shard is there as it was written."""
    path = shard_path(folder, layer, shard)
    recorded = recorded_sha256(path)
    return recorded is not None and path.is_file() and recorded == sha256_of_file(path)


def load_features(folder: str | Path, layer: str) -> FeatureSet:
    """Return the features of a layer; those of one file stay in a memory map.

    Those of several become one; more than a GiB lies in a file without a name, which
    ends with the array.

    Args:
        folder: As ``tools/extract_features.py`` filled it.
        layer: Such as 'Conv5 1x1'.
    """
    folder, manifest = Path(folder), read_manifest(folder)
    if layer not in manifest.layers:
        raise UserError(
            f'{folder}: expected features of {layer!r}, it has '
            f'{", ".join(map(repr, manifest.layers))}'
        )
    parts = [_shard(folder, layer, k) for k in range(manifest.num_shards)]
    missing = [k for k, part in enumerate(parts) if part is None]
    if missing:
        first = shard_path(folder, layer, missing[0]).name
        raise UserError(
            f'{folder}: {len(missing)} of {len(parts)} shards of {layer} are missing '
            f'or damaged, first {first}; extract again, only these are made'
        )
    features = parts[0] if len(parts) == 1 else _joined(parts, folder)
    labels = np.array(manifest.labels, dtype=np.int64)
    return FeatureSet(features, labels, manifest.image_ids, manifest.classes)


def hash_of_texts(texts: Sequence[str]) -> str:
    """Return a hash of a list of texts."""
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()


def _manifest_at(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise UserError(f'{path}: expected a manifest, got {error}') from error


def _joined(parts: Sequence[np.ndarray], folder: Path) -> np.ndarray:
    if sum(part.size for part in parts) <= _MOST_IN_MEMORY:
        return np.concatenate(parts)
    shape = (sum(map(len, parts)), parts[0].shape[1])
    with tempfile.TemporaryFile(dir=folder) as stream:
        found = np.memmap(stream, np.float32, 'w+', shape=shape)
    return np.concatenate(parts, out=found)


def _shard(folder: Path, layer: str, shard: int) -> np.ndarray | None:
    if not is_whole(folder, layer, shard):
        return None
    return np.load(shard_path(folder, layer, shard), mmap_mode='r', allow_pickle=False)
