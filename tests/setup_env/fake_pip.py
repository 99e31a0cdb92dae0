"""A pip for tests: installs tiny packages, in the order of the real one, half by half.

It is put into a new environment as ``pip/__main__.py``. Settings from the environment:
FAKE_JOURNAL is the file to which each call is written; FAKE_KILL_AT names the event at
which the whole process group is killed, as by a power cut.
"""

import os
import re
import signal
import sys
import sysconfig
import time
from pathlib import Path

SITE = Path(sysconfig.get_path('purelib'))
ROOT = Path(sys.prefix).parent
HOSTS = 'cv2 mmengine mmdet mmsegmentation mmpretrain numba pyarrow'.split()
MODULES = {'mmsegmentation': 'mmseg', 'openmim': 'mim'}
SOURCES = {
    'torch': 'class cuda:\n    device_count = staticmethod(lambda: {gpus})\n'
    'class tensor:\n    __init__ = lambda self, _: None\n'
    '    to = lambda self, _: self\n',
    'pyarrow': 'import os, signal\nif os.environ.get("FAKE_KILL_AT") == "check":\n'
    '    os.killpg(0, signal.SIGKILL)\n',
}


def event(name):
    with open(os.environ['FAKE_JOURNAL'], 'a') as journal:
        print(name, file=journal)
    if os.environ.get('FAKE_KILL_AT') == name:
        os.killpg(0, signal.SIGKILL)


def pins():
    text = (ROOT / 'tools' / 'constraints.txt').read_text()
    return dict(re.findall(r'^([\w-]+)==(\S+)', text, re.M))


def install(name, version, files):
    """Files first, then the metadata, last RECORD: pip's own order."""
    metadata = SITE / f'{name}-{version}.dist-info'
    if metadata.is_dir() and (metadata / 'RECORD').exists():
        return
    if metadata.is_dir():
        sys.exit(f'{name} has no RECORD: pip would take it for installed')
    for file, text in files.items():
        path = SITE / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text[: len(text) // 2])
        event(f'half a file of {name}')
        path.write_text(text)
    metadata.mkdir()
    (metadata / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n')
    event(f'no RECORD of {name}')
    time.sleep(float(os.environ.get('FAKE_DELAY_S', 0)))
    lines = [f'{file},,{len(text)}\n' for file, text in files.items()]
    lines.append(f'{metadata.name}/METADATA,,\n')
    (metadata / 'RECORD').write_text(''.join(lines))


def install_by_name(name):
    source = SOURCES.get(name, 'x = 1\n').replace('{gpus}', os.environ.get('GPUS', '0'))
    file = MODULES.get(name, name) + '.py'
    install(name, pins()[name], {} if name == 'pip' else {file: source})


def install_editable():
    for name in HOSTS:
        install_by_name(name)
    (SITE / 'editable.pth').write_text(str(ROOT))


def install_wheel(path):
    """A wheel's text says what it is: CPU ops, CUDA ops, or ops of another torch."""
    kind = path.read_text()
    if kind not in ('cpu', 'cuda', 'other torch'):
        sys.exit(f'{path} is not a wheel')
    for old in SITE.glob('mmcv-*'):
        (old / 'RECORD').unlink()
        old.rename(SITE / '~mmcv')
        event('between two mmcv')
        (SITE / '~mmcv' / 'METADATA').unlink()
        (SITE / '~mmcv').rmdir()
    bad = 'raise ImportError("undefined symbol")\n'
    ops = (
        'class kept:\n    tolist = staticmethod(lambda: [0, 2])\n'
        'nms = lambda *_: (None, kept)\n'
        'get_compiler_version = lambda: "fake"\n'
        f'get_compiling_cuda_version = lambda: {"13.0" if kind == "cuda" else None!r}'
        ' or "not available"\n'
    )
    files = {
        'mmcv/__init__.py': '',
        'mmcv/_ext.py': bad if kind == 'other torch' else '',
        'mmcv/ops.py': ops,
    }
    for file in files:
        (SITE / file).unlink(missing_ok=True)
    install('mmcv', pins()['mmcv'], files)


def build_wheel(arguments):
    names = 'FORCE_CUDA TORCH_CUDA_ARCH_LIST CUDA_VISIBLE_DEVICES MMCV_WITH_OPS'.split()
    settings = {n: os.environ[n] for n in names if n in os.environ}
    event(f'compile {settings}')
    folder = Path(arguments[arguments.index('-w') + 1])
    wheel = folder / f'mmcv-{pins()["mmcv"]}-cp311-cp311-linux_{os.uname().machine}.whl'
    wheel.write_text('half a wh')
    event('half a wheel')
    wheel.write_text('cuda' if os.environ['FORCE_CUDA'] == '1' else 'cpu')


def main(arguments):
    if arguments == ['--version']:
        return
    command, *rest = arguments
    event(' '.join(arguments).replace(str(ROOT), 'ROOT'))
    if command == 'wheel' and '--no-binary' in rest:
        build_wheel(rest)
    elif command == 'install' and '--editable' in rest:
        install_editable()
    elif command == 'install':
        for name in rest:
            if name.endswith('.whl'):
                install_wheel(Path(name))
            elif name in pins():
                install_by_name(name)


if __name__ == '__main__':
    main(sys.argv[1:])
