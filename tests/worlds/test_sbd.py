"""SBD, read as mmseg's converter reads it, against scenes drawn again."""

import numpy as np
import pytest
from scipy.io import loadmat

from mmdetxfer.worlds import sbd
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.voc import VOC_CLASSES
from mmdetxfer.worlds.writing import stream_seed

SEED = 8
SIZES = dict(train=5, val=4)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'VOCaug'
    counts = sbd.write(folder, SIZES, SEED)
    for split in SIZES:
        assert counts[split]['images'] == SIZES[split]
        assert counts[split]['instances'] == sum(
            len(s.objects) for _, s in drawn(split)
        )
    return folder


def drawn(split):
    """Pair the ids of a split with its scenes: those of VOC2012, numbered through."""
    stream = stream_seed(SEED, 'voc2012', split)
    first = dict(train=1, val=1 + SIZES['train'])[split]
    return [
        (f'2012_{first + index:06d}', draw_scene(stream, index, 'target'))
        for index in range(SIZES[split])
    ]


def labels_of(scene):
    return [1 + VOC_CLASSES.index(category_of(o.category).voc) for o in scene.objects]


@pytest.mark.parametrize('split', SIZES)
def test_lists_name_the_images_of_voc2012(root, split):
    names = (root / 'dataset' / f'{split}.txt').read_text().split()

    assert names == [name for name, _ in drawn(split)]
    assert all((root / 'dataset' / 'img' / f'{name}.jpg').exists() for name in names)


@pytest.mark.parametrize('split', SIZES)
def test_class_maps_hold_the_classes_without_void(root, split):
    """The look-up of mmseg's voc_aug.py: data['GTcls'][0]['Segmentation'][0]."""
    for name, scene in drawn(split):
        data = loadmat(root / 'dataset' / 'cls' / f'{name}.mat')
        found = data['GTcls'][0]['Segmentation'][0]
        assert found.dtype == np.uint8
        expected = np.zeros(scene.instances.shape, int)
        for number, label in enumerate(labels_of(scene), 1):
            expected[scene.instances == number] = label
        assert (found == expected).all()
        present = data['GTcls'][0]['CategoriesPresent'][0].ravel()
        assert present.tolist() == sorted(set(labels_of(scene)))


def test_object_maps_number_the_objects_and_name_their_classes(root):
    for name, scene in drawn('train'):
        data = loadmat(root / 'dataset' / 'inst' / f'{name}.mat')['GTinst'][0]
        assert (data['Segmentation'][0] == scene.instances).all()
        assert data['Categories'][0].ravel().tolist() == labels_of(scene)
        assert data['Boundaries'][0].shape == (len(scene.objects), 1)


def has_other_neighbour(mask):
    """Return the pixels of a mask with one of the four neighbours outside of it."""
    padded = np.pad(mask, 1, mode='edge')
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def test_boundaries_are_the_pixels_beside_another_class_or_object(root):
    name, scene = drawn('val')[1]
    of_class = loadmat(root / 'dataset' / 'cls' / f'{name}.mat')['GTcls'][0]
    of_object = loadmat(root / 'dataset' / 'inst' / f'{name}.mat')['GTinst'][0]
    classes = of_class['Segmentation'][0]

    assert of_class['Boundaries'][0].shape == (20, 1)
    for label in range(1, 21):
        found = of_class['Boundaries'][0][label - 1, 0].toarray() > 0
        assert (found == has_other_neighbour(classes == label)).all()
    for number in range(1, len(scene.objects) + 1):
        found = of_object['Boundaries'][0][number - 1, 0].toarray() > 0
        assert found.any()
        assert (found == has_other_neighbour(scene.instances == number)).all()


def test_files_do_not_depend_on_the_time_of_writing(root, tmp_path, monkeypatch):
    """SciPy puts the time into the first 116 bytes."""
    monkeypatch.setattr('time.asctime', lambda *_: 'another day')
    sbd.write(tmp_path, SIZES, SEED)

    for path in (tmp_path / 'dataset' / 'cls').iterdir():
        assert path.read_bytes() == (root / 'dataset' / 'cls' / path.name).read_bytes()
        assert path.read_bytes().startswith(b'MATLAB 5.0 MAT-file ')
