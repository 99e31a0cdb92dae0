"""Damaged files are found, whichever byte is wrong, and end in one line."""

import random
import zipfile

import pytest
import torch

from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.checkpoints.writing import sha256_path, write_atomically
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError

WEIGHTS = {'w': torch.arange(6.0).reshape(2, 3)}


def test_an_empty_file_is_damaged(tmp_path):
    (tmp_path / 'x.pth').write_bytes(b'')
    with pytest.raises(DamagedCheckpointError, match='damaged'):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_truncated_file_is_damaged(tmp_path):
    torch.save(WEIGHTS, tmp_path / 'x.pth')
    whole = (tmp_path / 'x.pth').read_bytes()
    (tmp_path / 'x.pth').write_bytes(whole[:-40])
    with pytest.raises(DamagedCheckpointError, match='damaged'):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_flipped_bit_in_a_tensor_is_found_without_a_hash_beside(tmp_path):
    """torch.load takes the changed number; the container's checksum tells."""
    path = tmp_path / 'x.pth'
    torch.save({'state_dict': {'w': torch.full((8,), 1.5)}}, path)
    content = bytearray(path.read_bytes())
    place = content.index(torch.full((8,), 1.5).numpy().tobytes())
    content[place + 3] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)['state_dict']['w'][0] != 1.5
    with pytest.raises(DamagedCheckpointError, match='checksum of its part'):
        read_checkpoint(path)


def test_a_wrong_hash_beside_the_file_is_found(tmp_path):
    path = tmp_path / 'x.pth'
    write_atomically(path, lambda temporary: torch.save(WEIGHTS, temporary))
    read_checkpoint(path)
    sha256_path(path).write_text(f'{"0" * 64}  x.pth\n')
    with pytest.raises(DamagedCheckpointError, match='should be 0000.*x.pth.sha256'):
        read_checkpoint(path)


def test_a_hash_that_is_no_hash_is_not_believed(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(WEIGHTS, path)
    for text in (b'', b'short', b'\xff\xfe' * 50):
        sha256_path(path).write_bytes(text)
        assert torch.equal(read_checkpoint(path)['w'], WEIGHTS['w'])


def test_whatever_bytes_are_changed_the_answer_is_the_same_content_or_one_error(
    tmp_path,
):
    """300 files with one byte changed, 100 cut, 100 with 20 random bytes put in."""
    path = tmp_path / 'x.pth'
    torch.save({'state_dict': WEIGHTS, 'meta': {'iter': 3}}, path)
    whole = path.read_bytes()
    draw = random.Random(0)
    num_refused = 0
    for number in range(500):
        content, place = bytearray(whole), draw.randrange(len(whole))
        if number < 300:
            content[place] ^= 1 << draw.randrange(8)
        elif number < 400:
            del content[place:]
        else:
            content[place : place + 20] = draw.randbytes(20)
        path.write_bytes(content)
        try:
            found = read_checkpoint(path)
        except CheckpointError as error:
            num_refused += 1
            assert '\n' not in str(error)
        else:
            assert torch.equal(found['state_dict']['w'], WEIGHTS['w'])
            assert found['meta'] == {'iter': 3}
    assert num_refused > 250


def test_pickles_of_random_bytes_end_in_one_error(tmp_path):
    """The container is whole, its pickle is not: 300 of them."""
    path, good = tmp_path / 'x.pth', tmp_path / 'good.pth'
    torch.save({'state_dict': WEIGHTS, 'meta': {'iter': 3}}, good)
    draw = random.Random(1)
    for _ in range(300):
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, 'w') as target:
            for part in source.namelist():
                content = bytearray(source.read(part))
                if part.endswith('data.pkl'):
                    place = draw.randrange(len(content))
                    content[place : place + 3] = draw.randbytes(3)
                target.writestr(part, bytes(content))
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            assert '\n' not in str(error)


def test_a_deep_nest_of_lists_is_one_error(tmp_path):
    nest = []
    for _ in range(5000):
        nest = [nest]
    # Written by hand: pickle itself cannot.
    torch.save({'meta': []}, tmp_path / 'good.pth')
    path = tmp_path / 'x.pth'
    with zipfile.ZipFile(tmp_path / 'good.pth') as source:
        with zipfile.ZipFile(path, 'w') as target:
            for part in source.namelist():
                is_pickle = part.endswith('data.pkl')
                deep = b'\x80\x02' + b'](' * 5000 + b']' + b'e' * 5000 + b'.'
                deep = b'\x80\x02}X\x04\x00\x00\x00meta' + deep[2:-1] + b's.'
                target.writestr(part, deep if is_pickle else source.read(part))
    with pytest.raises(CheckpointError, match='RecursionError'):
        read_checkpoint(path)
