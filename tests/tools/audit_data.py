"""Small data sets, whole or damaged, and what the audit of them prints."""

from pathlib import Path

import cv2
import numpy as np

AUDIT = 'analysis_tools/audit_dataset.py'


def rows_of(printed: str) -> dict[str, tuple[int, list[str]]]:
    """Return count and examples by reason of a printed table."""
    rows: dict[str, tuple] = {}
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.split('│')[1:-1]]
        if len(cells) == 3 and cells[1]:
            rows[cells[0]] = (int(cells[1]), [])
        if len(cells) == 3:
            rows[list(rows)[-1]][1].append(cells[2])
    return rows


def audit_with(tools, folder: Path):
    """Return a function that audits data sets and returns what is printed."""

    def run(scope, *options, fails=False, **datasets):
        config = folder / 'config.py'
        lines = [f'_base_ = []\ndefault_scope = {scope!r}']
        for split, dataset in datasets.items():
            lines.append(f'{split}_dataloader = dict(dataset={dataset!r})')
        config.write_text('\n'.join(lines) + '\n')
        arguments = (AUDIT, config, '--workers', 0, *options)
        return tools(*arguments, cwd=folder, fails=fails).printed

    return run


def write_image(path: Path, size=(40, 30), seed=None) -> Path:
    """Write an image of noise; without a seed the path decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed or list(str(path).encode()))
    pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-9])
    return path


def write_voc(root: Path, split: str, **images) -> dict:
    """Write a VOC split: by image the stated size and objects; return its config."""
    for name, (size, objects) in images.items():
        inner = f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
        for label, *corners in objects:
            sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), corners, strict=True)
            box = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
            inner += f'<object><name>{label}</name><bndbox>{box}</bndbox></object>'
        xml = root / 'Annotations' / f'{name}.xml'
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(f'<annotation>{inner}</annotation>')
    (root / f'{split}.txt').write_text('\n'.join(images) + '\n')
    return dict(
        type='VOCDataset',
        data_root=str(root),
        ann_file=f'{split}.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('cat', 'dog')),
    )


def small_voc(tmp_path: Path, *names: str, split='train', seeds=(1, 2, 3)) -> dict:
    """One whole image a name, with a cat and a dog."""
    objects = [('cat', 1, 1, 9, 9), ('dog', 1, 1, 9, 9)]
    for name, seed in zip(names, seeds, strict=False):
        write_image(tmp_path / 'voc' / 'JPEGImages' / f'{name}.jpg', seed=seed)
    images = {name: ((40, 30), objects) for name in names}
    return write_voc(tmp_path / 'voc', split, **images)
