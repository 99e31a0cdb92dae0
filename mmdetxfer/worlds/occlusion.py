"""The occlusion labels of VOC2007 test in the grammar of Hoiem et al. 2012.

One file ``gt_ved_<class>.txt`` for each of seven classes, for the objects of the
world's VOC2007 test set. The grammar is that of the published files, lines ending in
CR LF:

    det<TAB>conf<TAB>occ<TAB>p1 p2 p3 p4 v1 v2 v3 v4 v5 size<TAB>ratio(w/h)
    0<TAB>0<TAB>2<TAB>1 1 1 1 0 0 0 1 0<TAB>56573<TAB>2.942

- Row n is the n-th object of the class that is not difficult, in the order of test.txt
  and of the objects in each XML file. There is no image id and no box: only the size
  tells a reader that it is in step.
- det, conf: a detector's answer; 0 and 0 in the published files where it found nothing,
  and here always.
- occ: 0 none, 1 low (1-10 %), 2 medium (10-50 %), 3 high (over 50 %).
- p: which parts are visible, v: which sides; as many as the class has. The objects of
  the world have neither: all parts are set, and of the sides the one called 'side'.
- size is (w + 1)(h + 1) and ratio is w / h, with w = xmax - xmin and h = ymax - ymin of
  VOC's inclusive corners: the published files add 1 in the size only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .categories import category_of
from .scenes import draw_scene
from .writing import Progress, map_items, stream_seed, write_bytes

# Number of parts, number of sides, and which of the sides (from 0) is called 'side'.
OCCLUSION_CLASSES = {
    'aeroplane': (4, 5, 3),
    'bicycle': (4, 5, 4),
    'bird': (6, 5, 3),
    'boat': (6, 5, 3),
    'cat': (5, 5, 3),
    'chair': (4, 5, 3),
    'diningtable': (2, 2, 0),
}


def write(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write the occlusion files (contract of ``world``).

    The scenes of VOC2007 test are drawn again rather than read, so that the files come
    from what was drawn even where that format was not asked for.
    """
    if set(split_sizes) != {'test'}:
        raise ValueError(
            f"the occlusion labels are for the split 'test', got {sorted(split_sizes)}"
        )
    stream = stream_seed(seed, 'voc2007', 'test')
    items = [(stream, index) for index in range(split_sizes['test'])]
    parts = root / '.parts' / 'test'
    images = map_items(_rows, items, parts, workers, progress, 'occlusion test')
    num_rows = 0
    for name in OCCLUSION_CLASSES:
        rows = [row for image in images for voc, row in image if voc == name]
        num_rows += len(rows)
        text = ''.join(f'{line}\r\n' for line in [header(name), *rows])
        write_bytes(root / f'gt_ved_{name}.txt', text.encode())
    return {'test': dict(images=len(images), instances=num_rows)}


def header(voc: str) -> str:
    """Return the first line of the file of a class."""
    num_parts, num_sides, _ = OCCLUSION_CLASSES[voc]
    parts = ' '.join(f'p{number + 1}' for number in range(num_parts))
    sides = ' '.join(f'v{number + 1}' for number in range(num_sides))
    return f'det\tconf\tocc\t{parts} {sides} size\tratio(w/h)'


def object_row(voc: str, occlusion: int, box: tuple[int, int, int, int]) -> str:
    """Return the row of one object; ``box`` has inclusive corners."""
    num_parts, num_sides, side = OCCLUSION_CLASSES[voc]
    flags = ['1'] * num_parts + [str(int(i == side)) for i in range(num_sides)]
    width, height = box[2] - box[0], box[3] - box[1]
    size = (width + 1) * (height + 1)
    # MATLAB's spelling of a division by zero: a strip of one row has no height here.
    undefined = 'Inf' if width else 'NaN'
    ratio = f'{width / height:.3f}' if height else undefined
    return f'0\t0\t{occlusion}\t{" ".join(flags)}\t{size}\t{ratio}'


def _rows(item: tuple[int, int]) -> list[tuple[str, str]]:
    stream, index = item
    objects = draw_scene(stream, index, 'target').objects
    named = [(category_of(found.category).voc, found) for found in objects]
    return [
        (name, object_row(name, found.occlusion, found.box))
        for name, found in named
        if name in OCCLUSION_CLASSES and not found.is_difficult
    ]
