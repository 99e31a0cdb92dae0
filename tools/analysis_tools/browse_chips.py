"""Which chips are cut, and which boxes count in them? Pictures of a few images.

    python tools/analysis_tools/browse_chips.py CONFIG --out work_dirs/chips --images 8

For each image: its chips at every scale on the image, and below them the chips as the
network sees them. Green boxes are valid in their chip, orange ones visible but not
valid, grey ones ignored (difficult, crowd, group-of).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from rich.progress import track

from mmdetxfer.chips import plan_epoch
from mmdetxfer.datasets import ChipDataset, ChipIndex, UnreadableImageError
from mmdetxfer.datasets.chip_dataset import training_chips
from mmdetxfer.errors import one_line_errors

GREEN, ORANGE, GREY = (60, 180, 60), (30, 140, 255), (150, 150, 150)
SCALE_COLOURS = ((200, 80, 40), (40, 40, 210), (170, 40, 170), (20, 150, 150))


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config that trains on a ChipDataset')
    parser.add_argument('--out', type=Path, required=True, help='folder for pictures')
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument('--seed', type=int, default=0, help='of the plan')
    parser.add_argument('--epoch', type=int, default=0)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE'
    )
    return parser.parse_args()


def drawn_boxes(
    image: np.ndarray, boxes: np.ndarray, colour: tuple, thickness_px: int = 1
) -> np.ndarray:
    """Return an image with boxes drawn on it."""
    image = np.ascontiguousarray(image)
    for x1, y1, x2, y2 in np.round(boxes).astype(int).tolist():
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness_px)
    return image


def drawn_chip(dataset: ChipDataset, index: ChipIndex) -> np.ndarray:
    """Return a chip as the network sees it, filled up to a square, with its boxes."""
    packed = dataset[index]
    sample = packed['data_samples']
    side = dataset.plan.chip_px
    picture = np.full((side, side, 3), 255, np.uint8)
    pixels = packed['inputs'].permute(1, 2, 0).numpy()
    picture[: pixels.shape[0], : pixels.shape[1]] = pixels
    others = sample.ignored_instances
    groups = (
        (others.bboxes[~others.not_valid], GREY),
        (others.bboxes[others.not_valid], ORANGE),
        (sample.gt_instances.bboxes, GREEN),
    )
    for boxes, colour in groups:
        picture = drawn_boxes(picture, boxes.tensor.numpy(), colour)
    frame = SCALE_COLOURS[index.chip.scale_index % len(SCALE_COLOURS)]
    return cv2.copyMakeBorder(picture, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=frame)


def drawn_image(dataset: ChipDataset, indices: list[ChipIndex]) -> np.ndarray:
    """Return one image with its chips' outlines, and its chips below it."""
    path = dataset.get_data_info(indices[0])['img_path']
    image = cv2.imread(path)
    if image is None:
        raise UnreadableImageError.of(path, 'OpenCV gives nothing')
    for index in indices:
        chip = index.chip
        colour = SCALE_COLOURS[chip.scale_index % len(SCALE_COLOURS)]
        corners = np.array([chip.corners]) / chip.factor
        image = drawn_boxes(image, corners, colour, 2)
    tiles = [drawn_chip(dataset, index) for index in indices]
    across = 4
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % across)
    rows = [np.hstack(tiles[k : k + across]) for k in range(0, len(tiles), across)]
    chips = np.vstack(rows)
    width = max(image.shape[1], chips.shape[1])
    parts = [
        cv2.copyMakeBorder(
            part, 0, 6, 0, width - part.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3
        )
        for part in (image, chips)
    ]
    return np.vstack(parts)


@one_line_errors
def main() -> None:
    """Plan an epoch and draw the first images that have chips."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    dataset = training_chips(cfg)
    chips = plan_epoch(dataset.box_table(), dataset.plan, args.seed, args.epoch)
    rows: dict[int, list[ChipIndex]] = {}
    for row in np.flatnonzero(~chips.is_mirrored).tolist():
        image = int(chips.image_indices[row])
        rows.setdefault(image, []).append(ChipIndex(image, (chips, row)))
    args.out.mkdir(parents=True, exist_ok=True)
    for image in track(sorted(rows)[: args.images], 'drawing'):
        picture = drawn_image(dataset, rows[image])
        cv2.imwrite(str(args.out / f'{image:06d}.png'), picture)
    print(f'pictures in {args.out}')


if __name__ == '__main__':
    main()
