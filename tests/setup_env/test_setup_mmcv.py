"""Where the set-up takes mmcv from: ready wheels, its cache, or the compiler."""

import platform
from pathlib import Path

import pytest

MACHINE = platform.machine()
WHEEL = f'mmcv-2.1.0-cp311-cp311-linux_{MACHINE}.whl'


@pytest.fixture
def ready(tmp_path) -> Path:
    """A folder for MMDETXFER_WHEELS, still empty."""
    folder = tmp_path / 'ready wheels'
    folder.mkdir()
    return folder


def compiled(sandbox) -> list[str]:
    return [line for line in sandbox.journal() if line.startswith('compile')]


def start_again(sandbox) -> None:
    """Forget the environment, as a second checkout would have none."""
    (sandbox.root / '.venv').rename(sandbox.home / 'old')
    sandbox.journal()


def test_without_a_gpu_mmcv_is_compiled_with_its_ops_for_the_cpu(sandbox):
    output = sandbox.run()
    (call,) = compiled(sandbox)
    assert "'MMCV_WITH_OPS': '1'" in call
    assert "'FORCE_CUDA': '0'" in call
    assert "'CUDA_VISIBLE_DEVICES': ''" in call
    assert "compiling mmcv's ops for cpu" in output


def test_mmcv_is_compiled_from_source_and_past_the_cache_of_pip(sandbox):
    sandbox.run()
    (call,) = [line for line in sandbox.journal() if line.startswith('wheel')]
    for option in ('--no-cache-dir', '--no-build-isolation', '--no-binary mmcv'):
        assert option in call


def test_a_gpu_with_nvcc_gets_ops_for_that_gpu(sandbox):
    sandbox.add_gpu('9.0', with_nvcc=True)
    sandbox.run()
    (call,) = compiled(sandbox)
    assert "'FORCE_CUDA': '1'" in call
    assert "'TORCH_CUDA_ARCH_LIST': '9.0'" in call
    (wheel,) = sandbox.cached_wheels()
    assert wheel.parent.name == f'mmcv-2.1.0_torch-2.11.0_cp311_{MACHINE}_9.0'


def test_a_gpu_without_nvcc_gets_ops_for_the_cpu_and_a_note(sandbox):
    sandbox.add_gpu('9.0', with_nvcc=False)
    output = sandbox.run()
    assert 'there is an NVIDIA GPU but no nvcc' in output
    assert "'CUDA_VISIBLE_DEVICES': ''" in compiled(sandbox)[0]


def test_a_gpu_that_comes_later_gets_its_ops(sandbox):
    sandbox.run()
    assert len(compiled(sandbox)) == 1
    sandbox.add_gpu('8.6', with_nvcc=True)
    sandbox.run()
    assert "'TORCH_CUDA_ARCH_LIST': '8.6'" in compiled(sandbox)[0]
    assert len(sandbox.cached_wheels()) == 2


def test_ops_can_be_built_for_the_gpus_of_another_machine(sandbox):
    sandbox.add_gpu('7.5', with_nvcc=True)
    sandbox.run(TORCH_CUDA_ARCH_LIST='8.0 9.0+PTX')
    assert "'TORCH_CUDA_ARCH_LIST': '8.0;9.0+PTX'" in compiled(sandbox)[0]


def test_ops_for_a_gpu_without_nvcc_are_refused(sandbox):
    output = sandbox.run(code=1, TORCH_CUDA_ARCH_LIST='9.0')
    assert 'TORCH_CUDA_ARCH_LIST asks for ops for 9.0, but there is no nvcc' in output


def test_a_ready_wheel_is_taken_instead_of_compiling(sandbox, ready):
    (ready / WHEEL).write_text('cpu')
    output = sandbox.run(MMDETXFER_WHEELS=str(ready))
    assert f'trying {ready / WHEEL}' in output
    assert compiled(sandbox) == []


def test_a_ready_wheel_needs_no_compiler(sandbox, ready):
    (ready / WHEEL).write_text('cpu')
    sandbox.run(MMDETXFER_WHEELS=str(ready), CXX='no-such-compiler')


def test_a_ready_wheel_is_looked_for_before_the_cache(sandbox, ready):
    sandbox.run()
    start_again(sandbox)
    (ready / WHEEL).write_text('cpu')
    output = sandbox.run(MMDETXFER_WHEELS=str(ready))
    assert output.count('trying') == 1
    assert f'trying {ready / WHEEL}' in output


@pytest.mark.parametrize('content', ['other torch', 'half a wh', ''])
def test_a_ready_wheel_that_does_not_work_is_passed_over_and_kept(
    sandbox, ready, content
):
    (ready / WHEEL).write_text(content)
    output = sandbox.run(MMDETXFER_WHEELS=str(ready))
    assert 'do not work with this torch' in output
    assert len(compiled(sandbox)) == 1
    assert (ready / WHEEL).read_text() == content


def test_a_wheel_for_the_cpu_is_passed_over_where_there_is_a_gpu(sandbox, ready):
    (ready / WHEEL).write_text('cpu')
    sandbox.add_gpu('9.0', with_nvcc=True)
    sandbox.run(MMDETXFER_WHEELS=str(ready))
    assert "'FORCE_CUDA': '1'" in compiled(sandbox)[0]


def test_a_second_checkout_takes_the_wheel_from_the_cache(sandbox):
    sandbox.run()
    start_again(sandbox)
    assert '.cache/mmdetxfer/wheels' in sandbox.run()
    assert compiled(sandbox) == []


@pytest.mark.parametrize('content', ['other torch', 'half a wh'])
def test_a_cached_wheel_that_does_not_work_is_made_again(sandbox, content):
    sandbox.run()
    start_again(sandbox)
    (wheel,) = sandbox.cached_wheels()
    wheel.write_text(content)
    sandbox.run()
    assert len(compiled(sandbox)) == 1
    assert wheel.read_text() == 'cpu'


def test_another_torch_gets_a_wheel_of_its_own(sandbox):
    sandbox.run()
    compiled(sandbox)
    start_again(sandbox)
    pins = sandbox.root / 'tools' / 'constraints.txt'
    pins.write_text(pins.read_text().replace('torch==2.11.0', 'torch==2.12.0'))
    sandbox.run()
    assert len(compiled(sandbox)) == 1
    folders = [wheel.parent.name for wheel in sandbox.cached_wheels()]
    assert [name.split('_')[1] for name in folders] == ['torch-2.11.0', 'torch-2.12.0']


def test_the_cache_follows_xdg_cache_home(sandbox, tmp_path):
    sandbox.run(XDG_CACHE_HOME=str(tmp_path / 'elsewhere'))
    assert len(list((tmp_path / 'elsewhere').rglob('*.whl'))) == 1


def test_a_killed_compilation_leaves_no_wheel_in_the_cache(sandbox):
    sandbox.run_killed_at('half a wheel')
    (half,) = sandbox.cached_wheels()
    assert half.parent.name == '.part'
    sandbox.run()
    (wheel,) = sandbox.cached_wheels()
    assert wheel.read_text() == 'cpu'


def test_a_set_up_that_is_killed_between_two_mmcv_is_repaired(sandbox, ready):
    (ready / WHEEL).write_text('other torch')
    sandbox.run_killed_at('between two mmcv', MMDETXFER_WHEELS=str(ready))
    output = sandbox.run()
    assert '~mmcv: left over from a killed install' in output
    assert sandbox.run() == '[setup] .venv is ready\n'


def test_download_holds_the_pinned_packages_and_mmcv_twice(sandbox, tmp_path):
    folder = tmp_path / 'all'
    sandbox.run('--download', str(folder))
    calls = sandbox.journal()
    (wheels,) = [line for line in calls if line.startswith('wheel --no-deps')]
    assert f'-w {folder}/.part -r {folder}/.part/all.txt' in wheels
    (source,) = [line for line in calls if line.startswith('download')]
    assert '--no-binary mmcv' in source
    assert [path.name for path in folder.iterdir()] == [WHEEL]


def test_a_finished_set_up_can_be_downloaded_too(sandbox, ready, tmp_path):
    (ready / WHEEL).write_text('cpu')
    sandbox.run(MMDETXFER_WHEELS=str(ready))
    output = sandbox.run('--download', str(tmp_path / 'all'))
    assert '.venv is ready' in output
    assert len(compiled(sandbox)) == 1
    assert (tmp_path / 'all' / WHEEL).exists()
