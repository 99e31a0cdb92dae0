"""A share of the images: of each class, the same for every candidate."""

from collections import Counter

import pytest
from mmengine.dataset import BaseDataset

from mmdetxfer.datasets import ShareDataset
from mmdetxfer.errors import UserError


class Listed(BaseDataset):
    """Images with the labels that it is given."""

    def __init__(self, labels):
        self.labels = labels
        super().__init__()

    def load_data_list(self):
        return [
            dict(img_path=str(k), **({} if label is None else dict(gt_label=label)))
            for k, label in enumerate(self.labels)
        ]


def chosen(labels, fraction, seed=0):
    found = ShareDataset(Listed(labels), fraction, seed)
    infos = [found.get_data_info(k) for k in range(len(found))]
    return [one['img_path'] for one in infos], Counter(
        one.get('gt_label') for one in infos
    )


def test_each_class_keeps_its_share_and_one_at_least():
    """A quarter of 40, 8 and 1 images: 10, 2 and 1."""
    _, counts = chosen([0] * 40 + [1] * 8 + [2], 0.25)
    assert counts == {0: 10, 1: 2, 2: 1}


def test_a_smaller_share_is_part_of_a_larger_one_and_the_seed_counts():
    labels = [k % 2 for k in range(40)]
    few, more = chosen(labels, 0.2)[0], chosen(labels, 0.5)[0]
    assert len(few) == 8 and set(few) < set(more)
    assert few == chosen(labels, 0.2)[0] != chosen(labels, 0.2, seed=1)[0]
    assert chosen(labels, 1.0)[0] == [str(k) for k in range(40)]


@pytest.mark.parametrize('label', [None, [1, 2]])
def test_images_without_one_class_are_drawn_from_all(label):
    names, _ = chosen([label] * 20, 0.3) if label is None else (None, None)
    if label is not None:
        found = ShareDataset(Listed([label] * 20), 0.3)
        names = [found.get_data_info(k)['img_path'] for k in range(len(found))]
    assert len(names) == 6


@pytest.mark.parametrize('fraction', [0, 1.5])
def test_a_share_is_one(fraction):
    with pytest.raises(UserError, match='expected a share of 1'):
        ShareDataset(Listed([0, 1]), fraction)
