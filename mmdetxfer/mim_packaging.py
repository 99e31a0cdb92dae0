"""setuptools commands that put tools, configs and the model index where mim looks.

mim looks for ``mmdetxfer/.mim/{tools,configs,model-index.yml}`` inside the installed
package. A wheel gets copies, made in the build folder and never in the source tree; an
editable install gets links from the source tree to the originals, so that an edited
config is seen at once; a source package carries the originals, from which its wheel is
built like any other. Nothing is done when this module is imported.
"""

import os
import shutil
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.command.sdist import sdist

MIM_SOURCES = ('tools', 'configs', 'model-index.yml')


class BuildPyWithMim(build_py):
    """Copies the mim files into the build folder, beside the package's modules."""

    def run(self) -> None:
        """Build the package from an empty folder, then add the mim files.

        ``build/lib`` outlives a build: a module that was deleted since would still be
        packed, and a registry would import it.
        """
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib, 'mmdetxfer'), ignore_errors=True)
        super().run()
        if not self.editable_mode:
            copy_mim_files(Path.cwd(), Path(self.build_lib, 'mmdetxfer', '.mim'))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name what ``run`` makes, so that ``install --record`` lists all of it."""
        outputs = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        mim = Path(self.build_lib, 'mmdetxfer', '.mim')
        return outputs + [str(mim / file) for file in mim_files(Path.cwd())]


class SdistWithMim(sdist):
    """Packs tools, configs and the model index, which lie outside the package."""

    def make_distribution(self) -> None:
        """Add the mim files to setuptools' own choice of files, and pack."""
        self.filelist.extend(str(file) for file in mim_files(Path.cwd()))
        super().make_distribution()


class EditableWheelWithMim(editable_wheel):
    """Links the mim files into the source tree's package."""

    def run(self) -> None:
        """Make the links, then install as usual."""
        link_mim_files(Path.cwd())
        super().run()


def mim_files(project: Path) -> list[Path]:
    """Return all files that mim needs, sorted, relative to the project's root."""
    files = []
    for source in MIM_SOURCES:
        top = project / source
        if not top.exists():
            raise FileNotFoundError(f'{top} is missing: mim needs {MIM_SOURCES}')
        found = [top] if top.is_file() else top.rglob('*')
        files += [path for path in found if path.is_file()]
    relative = [file.relative_to(project) for file in files]
    return sorted(file for file in relative if '__pycache__' not in file.parts)


def copy_mim_files(project: Path, target: Path) -> None:
    """Copy the mim files below ``target``, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    for file in mim_files(project):
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / file, copy)


def link_mim_files(project: Path) -> None:
    """Make relative links in ``mmdetxfer/.mim`` to the originals, or renew them."""
    target = project / 'mmdetxfer' / '.mim'
    mim_files(project)
    target.mkdir(exist_ok=True)
    for source in MIM_SOURCES:
        link = target / source
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(project / source, target))
