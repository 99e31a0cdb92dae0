"""Whatever we register is found as ``mmdetxfer.Name`` by each host, without imports."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import mmengine.registry
import pytest
from mmengine.registry import Registry

import mmdetxfer.registry

REPOSITORY = Path(__file__).resolve().parents[1]
REGISTRIES = {
    name: value
    for name, value in vars(mmdetxfer.registry).items()
    if isinstance(value, Registry) and value.scope == 'mmdetxfer'
}
# Each look-up is in a process that has imported mmengine alone: neither the host nor
# this package. The host's registry is asked, as in a Runner with its default_scope.
LOOK_UP = """
import json, os, sys
import mmengine.registry
from mmengine.registry import DefaultScope
import torch

scopes, wanted = json.loads(sys.argv[1])
found = {}
for scope in scopes:
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        found[scope] = json.loads(os.fdopen(read).read() or '"died"')
        os.wait()
        continue
    assert not {'mmdetxfer', scope} & set(sys.modules)
    DefaultScope.get_instance('test', scope_name=scope)
    answers = []
    for root, name in wanted:
        root = getattr(mmengine.registry, root)
        with root.switch_scope_and_registry(None) as registry:
            answer = registry.get(name)
        answers.append([registry.scope, answer and answer.__name__])
    os.write(write, json.dumps(answers).encode())
    os._exit(0)
print(json.dumps(found))
"""


def roots() -> dict[str, str]:
    """Return the name of mmengine's root for each of our registries."""
    named = {id(v): k for k, v in vars(mmengine.registry).items()}
    return {name: named[id(one.parent)] for name, one in REGISTRIES.items()}


def look_up(wanted: list, scopes: tuple) -> dict:
    done = subprocess.run(
        [sys.executable, '-c', LOOK_UP, json.dumps([scopes, wanted])],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize('name', REGISTRIES)
def test_every_location_imports_and_the_registry_is_filled_by_it(name):
    """A registry for later would be an entry that finds nothing."""
    registry = REGISTRIES[name]
    assert registry._locations
    for location in registry._locations:
        importlib.import_module(location)
    assert registry.module_dict


def test_every_registry_is_a_child_of_mmengines_own_root():
    """A child of a host's registry is out of reach for the other hosts."""
    assert set(roots()) == set(REGISTRIES)
    for name, root in roots().items():
        assert root == name


def test_every_name_is_reachable_from_every_host_in_a_fresh_interpreter():
    scopes = ('mmdet', 'mmseg', 'mmpretrain')
    wanted = []
    for name, root in roots().items():
        REGISTRIES[name].import_from_location()
        wanted += [[root, f'mmdetxfer.{key}'] for key in REGISTRIES[name].module_dict]
    assert len(wanted) >= 4
    found = look_up([*wanted, ['HOOKS', 'mmdetxfer.NoSuchHook']], scopes)
    for scope in scopes:
        names = [name.removeprefix('mmdetxfer.') for _, name in wanted]
        assert found[scope] == [[scope, name] for name in [*names, None]]
