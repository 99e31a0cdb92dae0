"""The newest good training checkpoint is found; what is passed over is said."""

import os
import shutil

import pytest
import torch

from mmdetxfer.checkpoints.resumable import (
    find_resumable,
    resumable_at,
    set_checkpoints_aside,
)
from mmdetxfer.checkpoints.writing import sha256_path, write_atomically
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError
from mmdetxfer.text_files import TEMPORARY_SUFFIX

clock = iter(range(1_700_000_000, 1_800_000_000))


def training(epoch=1, **changes) -> dict:
    meta = {'epoch': epoch, 'iter': 10 * epoch, 'seed': 3}
    parts = {'state_dict': {'w': torch.full((50,), 1.5)}, 'optimizer': {}}
    progress = {'mmdetxfer_progress': {'world_size': 2}}
    return {'meta': meta, **parts, 'message_hub': {}, **progress, **changes}


def save(path, content=None, epoch=1):
    """Write a checkpoint one second later than the one before it."""
    content = training(epoch) if content is None else content
    write_atomically(path, lambda temporary: torch.save(content, temporary))
    now = next(clock)
    os.utime(path, (now, now))
    return path


@pytest.fixture
def work_dir(tmp_path):
    """Checkpoints of the epochs 1, 2 and 3, with the pointer to the last."""
    for epoch in (1, 2, 3):
        path = save(tmp_path / f'epoch_{epoch}.pth', epoch=epoch)
    (tmp_path / 'last_checkpoint').write_text(str(path))
    return tmp_path


def test_the_newest_is_taken_and_described(work_dir):
    found = find_resumable(work_dir)
    assert found.path == work_dir / 'epoch_3.pth' and found.passed_over == ()
    assert (found.epoch, found.iteration, found.seed, found.num_ranks) == (3, 30, 3, 2)


def test_nothing_to_resume_is_none(tmp_path):
    assert find_resumable(tmp_path) is None
    assert find_resumable(tmp_path / 'not there') is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_byte(path):
    """In the middle of the tensor, so that only a checksum tells."""
    content = bytearray(path.read_bytes())
    place = content.index(torch.full((50,), 1.5).numpy().tobytes())
    content[place + 100] ^= 4
    path.write_bytes(content)


def flip_a_byte_without_a_hash(path):
    flip_a_byte(path)
    sha256_path(path).unlink()


def empty(path):
    path.write_bytes(b'')


def forge_the_hash(path):
    sha256_path(path).write_text(f'{"f" * 64}  {path.name}\n')


def empty_without_a_hash(path):
    empty(path)
    sha256_path(path).unlink()


DAMAGES = [
    truncate,
    flip_a_byte,
    flip_a_byte_without_a_hash,
    empty,
    empty_without_a_hash,
    forge_the_hash,
]


@pytest.mark.parametrize('damage', DAMAGES, ids=lambda f: f.__name__)
def test_a_damaged_newest_file_is_passed_over_and_named(work_dir, damage):
    damage(work_dir / 'epoch_3.pth')
    found = find_resumable(work_dir)
    assert found.path == work_dir / 'epoch_2.pth' and found.epoch == 2
    (reason,) = found.passed_over
    assert 'epoch_3.pth' in reason and 'damaged' in reason


def test_two_damaged_files_are_both_passed_over(work_dir):
    truncate(work_dir / 'epoch_3.pth')
    flip_a_byte(work_dir / 'epoch_2.pth')
    found = find_resumable(work_dir)
    assert found.path.name == 'epoch_1.pth'
    assert [reason.split()[0][-11:] for reason in found.passed_over] == [
        'epoch_3.pth',
        'epoch_2.pth',
    ]


def test_only_damaged_files_are_an_error_not_a_fresh_start(work_dir):
    for path in work_dir.glob('*.pth'):
        truncate(path)
    with pytest.raises(CheckpointError, match='none to resume from') as caught:
        find_resumable(work_dir)
    line = str(caught.value)
    assert line.count('is damaged') == 3 and 'move them away' in line


def test_a_damaged_path_that_was_named_is_an_error(work_dir):
    truncate(work_dir / 'epoch_3.pth')
    with pytest.raises(DamagedCheckpointError, match='epoch_3.pth is damaged'):
        resumable_at(work_dir / 'epoch_3.pth')
    with pytest.raises(CheckpointError, match='not found'):
        resumable_at(work_dir / 'epoch_9.pth')


def test_best_published_and_unfinished_files_are_no_place_to_resume_from(work_dir):
    save(work_dir / 'best_coco_bbox_mAP_epoch_3.pth', training(9))
    weights = {k: v for k, v in training(9).items() if k in ('meta', 'state_dict')}
    save(work_dir / 'epoch_3-0123abcd.pth', weights)
    (work_dir / f'epoch_4.pth{TEMPORARY_SUFFIX}').write_bytes(b'half')
    save(work_dir / 'weights_only.pth', weights['state_dict'])
    assert find_resumable(work_dir).path.name == 'epoch_3.pth'
    for path in work_dir.glob('epoch_?.pth'):
        path.unlink()
    assert find_resumable(work_dir) is None


@pytest.mark.parametrize(
    'missing, named',
    [
        ('optimizer', 'optimizer'),
        ('message_hub', 'message_hub'),
        ('state_dict', 'state_dict'),
        ('meta', 'meta.epoch, meta.iter'),
    ],
)
def test_what_a_file_lacks_for_a_resume_is_named(tmp_path, missing, named):
    content = {key: value for key, value in training().items() if key != missing}
    path = save(tmp_path / 'x.pth', content)
    with pytest.raises(
        CheckpointError, match=f'it has no {named}; name it with load_f'
    ):
        resumable_at(path)


def test_bare_weights_are_no_training_checkpoint(tmp_path):
    path = save(tmp_path / 'x.pth', {'w': torch.ones(2)})
    with pytest.raises(
        CheckpointError, match='meta.epoch, meta.iter, state_dict, opti'
    ):
        resumable_at(path)


def test_parts_of_the_wrong_kind_count_as_missing(tmp_path):
    """A host would take the text 'config' for the key of a config."""
    path = save(tmp_path / 'x.pth', training(meta='config', optimizer=[1]))
    with pytest.raises(CheckpointError, match='no meta.epoch, meta.iter, optimizer'):
        resumable_at(path)
    path = save(tmp_path / 'y.pth', training(mmdetxfer_progress=5))
    assert resumable_at(path).num_ranks is None


def test_a_pointer_elsewhere_is_followed(tmp_path):
    """The checkpoint hook's out_dir may be another folder than the work folder."""
    out_dir, work_dir = tmp_path / 'out', tmp_path / 'work'
    out_dir.mkdir(), work_dir.mkdir()
    save(out_dir / 'epoch_1.pth')
    path = save(out_dir / 'epoch_2.pth', epoch=2)
    (work_dir / 'last_checkpoint').write_text(f'{path}\n')
    assert find_resumable(work_dir).path == path
    truncate(path)
    assert find_resumable(work_dir).path == out_dir / 'epoch_1.pth'


def test_a_copied_folder_does_not_follow_its_pointer_to_the_original(
    work_dir, tmp_path
):
    """The original trained on since."""
    copy = tmp_path / 'copy'
    copy.mkdir()
    for path in [*work_dir.glob('epoch_*'), work_dir / 'last_checkpoint']:
        shutil.copy2(path, copy)
    save(work_dir / 'epoch_4.pth', epoch=4)
    assert find_resumable(work_dir).path.name == 'epoch_4.pth'
    assert find_resumable(copy).path == copy / 'epoch_3.pth'


def test_a_copy_that_lost_its_times_goes_on_from_the_last_checkpoint(work_dir):
    """cp -r writes in the order of names, where 10 stands before 9."""
    for name in ('epoch_3.pth', 'epoch_1.pth', 'epoch_2.pth'):
        now = next(clock)
        os.utime(work_dir / name, (now, now))
    assert find_resumable(work_dir).path.name == 'epoch_3.pth'
    truncate(work_dir / 'epoch_3.pth')
    assert find_resumable(work_dir).path.name == 'epoch_2.pth'


def test_a_file_that_was_written_before_the_pointer_knew_is_taken(work_dir):
    save(work_dir / 'epoch_4.pth', epoch=4)
    assert find_resumable(work_dir).path.name == 'epoch_4.pth'


def test_a_new_training_in_an_old_folder_counts_not_the_old_one(work_dir):
    path = save(work_dir / 'epoch_1.pth', epoch=1)
    (work_dir / 'last_checkpoint').write_text(str(path))
    assert find_resumable(work_dir).path.name == 'epoch_1.pth'


@pytest.mark.parametrize('text', ['', '/gone/epoch_9.pth', '\0', '..'])
def test_a_pointer_to_nothing_is_not_followed(work_dir, text):
    (work_dir / 'last_checkpoint').write_text(text)
    assert find_resumable(work_dir).path.name == 'epoch_3.pth'


def test_files_with_the_ending_of_the_last_one_are_found(tmp_path):
    """A checkpoint hook may be told filename_tmpl='epoch_{}.ckpt'."""
    for epoch in (1, 2):
        path = save(tmp_path / f'epoch_{epoch}.ckpt', epoch=epoch)
    assert find_resumable(tmp_path) is None
    (tmp_path / 'last_checkpoint').write_text(str(path))
    assert find_resumable(tmp_path).path == path
    truncate(path)
    assert find_resumable(tmp_path).path == tmp_path / 'epoch_1.ckpt'


def test_a_former_trainings_checkpoints_are_set_aside_with_their_hashes(work_dir):
    """Weights that the user put there, and logs, stay."""
    save(work_dir / 'best_coco_bbox_mAP_epoch_3.pth')
    save(work_dir / 'pretrained.pth')
    (work_dir / 'log.txt').write_text('')
    before = {path.name for path in work_dir.iterdir()}
    aside = set_checkpoints_aside(work_dir)
    assert aside == work_dir / 'former_1'
    stay = {path.name for path in work_dir.iterdir()} - {'former_1'}
    moved = {path.name for path in aside.iterdir()}
    assert stay == {'last_checkpoint', 'log.txt', *before} - moved
    assert moved == {
        name + ending
        for name in [f'epoch_{n}.pth' for n in (1, 2, 3)]
        + ['best_coco_bbox_mAP_epoch_3.pth']
        for ending in ('', '.sha256')
    }
    assert set_checkpoints_aside(work_dir) is None
    save(work_dir / 'iter_4.pth')
    assert set_checkpoints_aside(work_dir) == work_dir / 'former_2'
