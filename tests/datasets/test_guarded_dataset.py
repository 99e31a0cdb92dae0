"""What cannot be read is named, whatever the nesting; all other errors pass."""

import pickle

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import ClassBalancedDataset, Compose, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Subset
from toy_images import FilesDataset

from mmdetxfer.datasets import GuardedDataset, UnreadableImageError, guarded


class Fails(BaseTransform):
    """A later transform with an error of a kind that reading has too."""

    def __init__(self, error):
        self.error = error

    def transform(self, results):
        raise self.error


class Nested(BaseTransform):
    """A transform that holds others, as the hosts' random choices do."""

    def __init__(self, **branches):
        self.branches = branches

    def transform(self, results):
        return self.branches['first'][0](results)


class Dressed(LoadImageFromFile):
    """A loader of a user, on top of mmcv's."""

    def transform(self, results):
        results = super().transform(results)
        assert results['img'].shape[0] == 6, 'not six rows'
        return results


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """good.jpg, cut.jpg (truncated) and text.jpg; missing.jpg is not there."""
    folder = tmp_path_factory.mktemp('images')
    content = cv2.imencode('.jpg', np.zeros((6, 8, 3), np.uint8))[1].tobytes()
    (folder / 'good.jpg').write_bytes(content)
    (folder / 'cut.jpg').write_bytes(content[:-3])
    (folder / 'text.jpg').write_text('not found')
    return folder


def dataset(folder, *transforms, names='good cut text missing', **settings):
    return FilesDataset(
        ann_file=names,
        data_prefix=dict(img=str(folder)),
        pipeline=list(transforms) or [LoadImageFromFile()],
        **settings,
    )


REASONS = {
    1: 'truncated: JPEG without its end marker',
    2: 'not an image',
    3: 'No such file or directory',
}


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('ignore_empty', [False, True])
@pytest.mark.parametrize('index', REASONS)
def test_the_file_and_what_is_wrong_with_it_are_named(
    folder, backend, ignore_empty, index
):
    """With ignore_empty mmcv would put a random other sample there, or stop unnamed."""
    load = LoadImageFromFile(imdecode_backend=backend, ignore_empty=ignore_empty)
    one = GuardedDataset(dataset(folder, load))
    assert one[0]['img'].shape == (6, 8, 3)
    with pytest.raises(UnreadableImageError) as error:
        one[index]
    name = ['good', 'cut', 'text', 'missing'][index]
    assert error.value.path == f'{folder}/{name}.jpg'
    assert error.value.reason == REASONS[index]
    assert str(error.value).startswith(
        f'{error.value.path} cannot be read ({REASONS[index]}'
    )
    assert '\n' not in str(error.value)


def test_in_evaluation_too_the_file_is_named(folder):
    """mmengine alone says only that the pipeline returned None."""
    load = LoadImageFromFile(ignore_empty=True)
    one = dataset(folder, load, test_mode=True)
    with pytest.raises(Exception, match='should not get `None`'):
        one[3]
    with pytest.raises(UnreadableImageError, match='missing.jpg cannot be read'):
        GuardedDataset(one)[3]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda one: ConcatDataset([one, one]),
        lambda one: RepeatDataset(one, times=2),
        lambda one: ClassBalancedDataset(one, oversample_thr=4),
    ],
)
def test_wrapped_data_sets_and_nested_transforms_are_looked_into(folder, wrap):
    nested = Nested(first=[Compose([LoadImageFromFile(ignore_empty=True)])])
    one = GuardedDataset(wrap(dataset(folder, nested)))
    assert len(one) == 8 and one[0]['img'].shape == (6, 8, 3)
    with pytest.raises(UnreadableImageError, match='missing.jpg'):
        one[7]


@pytest.mark.parametrize(
    'error', [OSError('disk'), AssertionError('a'), AttributeError()]
)
def test_errors_of_other_transforms_pass_as_they_are(folder, error):
    with pytest.raises(type(error)) as raised:
        GuardedDataset(dataset(folder, LoadImageFromFile(), Fails(error)))[0]
    assert raised.value is error


def test_an_error_of_a_loader_on_top_of_mmcvs_is_not_one_of_reading(folder, tmp_path):
    cv2.imwrite(str(tmp_path / 'tall.jpg'), np.zeros((9, 8, 3), np.uint8))
    one = GuardedDataset(dataset(tmp_path, Dressed(), names='tall'))
    with pytest.raises(AssertionError, match='not six rows'):
        one[0]
    with pytest.raises(UnreadableImageError, match='missing.jpg'):
        GuardedDataset(dataset(folder, Dressed()))[3]


def test_wrong_settings_of_the_loader_pass_as_they_are(folder):
    one = GuardedDataset(dataset(folder, LoadImageFromFile(imdecode_backend='none')))
    with pytest.raises(ValueError, match='backend: none is not supported'):
        one[0]


def test_what_a_decoder_does_not_take_is_said_in_its_words(folder, tmp_path):
    """A GIF of one frame is a whole file, and turbojpeg is no reader of it."""
    from PIL import Image

    Image.new('P', (4, 4)).save(tmp_path / 'a.jpg', format='GIF')
    load = LoadImageFromFile(imdecode_backend='turbojpeg')
    with pytest.raises(UnreadableImageError) as error:
        GuardedDataset(dataset(tmp_path, load, names='a'))[0]
    assert error.value.reason and 'No such file' not in error.value.reason


def test_a_pipeline_that_a_hook_puts_in_later_is_guarded_too(folder):
    one = GuardedDataset(dataset(folder))
    one.pipeline = Compose([LoadImageFromFile(ignore_empty=True)])
    assert one.pipeline.transforms[0].ignore_empty is False
    with pytest.raises(UnreadableImageError):
        one[3]


def test_all_else_is_the_wrapped_data_sets_own(folder):
    inner = dataset(folder)
    one = GuardedDataset(inner)
    assert one.metainfo == inner.metainfo and len(one) == 4
    assert one.get_data_info(2) == inner.get_data_info(2)
    one.note = 'seen'
    assert inner.note == 'seen'
    assert not hasattr(one, 'missing')
    assert guarded(one) is one and isinstance(guarded(inner), GuardedDataset)


def test_batches_are_not_fetched_past_the_guard(folder):
    """torch's Subset fetches whole batches by a special method of its own."""
    one = GuardedDataset(Subset(dataset(folder), [0, 3]))
    with pytest.raises(UnreadableImageError, match='missing.jpg'):
        list(DataLoader(one, batch_size=2, collate_fn=list))


def test_it_is_built_from_a_config_around_any_data_set(folder):
    inner = dict(
        type='FilesDataset',
        ann_file='good',
        data_prefix=dict(img=str(folder)),
        pipeline=[],
    )
    built = DATASETS.build(dict(type=GuardedDataset, dataset=inner))
    assert isinstance(built, GuardedDataset) and len(built) == 1


def test_the_error_of_a_worker_process_is_the_same_one_line(folder):
    one = GuardedDataset(dataset(folder))
    direct = str(pytest.raises(UnreadableImageError, one.__getitem__, 1).value)
    loader = DataLoader(one, num_workers=1, sampler=[1], batch_size=None)
    with pytest.raises(UnreadableImageError) as error:
        list(loader)
    assert str(error.value) == direct
    assert str(pickle.loads(pickle.dumps(error.value))) == direct


def test_it_travels_with_its_data_set(folder):
    """As to a spawned worker; what is put in there is guarded too."""
    one = pickle.loads(pickle.dumps(GuardedDataset(dataset(folder))))
    assert isinstance(one, GuardedDataset) and one[0]['img'].shape == (6, 8, 3)
    with pytest.raises(UnreadableImageError, match='missing.jpg'):
        one[3]
