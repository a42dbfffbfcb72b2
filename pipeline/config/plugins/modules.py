"""Plugins as Python modules: where they are looked for, how they are imported, their code's digest.

A plugin that a grid names is a file NAME.py, or a folder NAME with an __init__.py, beside the grid
file; where there is none, a module that Python can import. Nothing else beside a grid file becomes
importable: what a plugin consists of is in its package, and so in the digest of its code.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module, invalidate_caches
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from features.machine.identity import content_digest, folder_digest
from reports.wording import in_a_line

OURS = frozenset({"features", "models", "pipeline", "reports"})


class PluginError(Exception):
    """A plugin that cannot be used; a clause that says which and why."""


class _FromSource(SourceFileLoader):
    """Compiles what stands in the file now.

    A compiled file is taken for that of its source by size and whole seconds: a quick change would
    run the code of before under the digest of after.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _Beside(MetaPathFinder):
    """Finds the modules of plugins that lie beside grid files, and no others there."""

    def __init__(self) -> None:
        self.loaded: dict[str, tuple[Path, str]] = {}  # folder, and digest of the source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        top = top_of(fullname)
        if top not in self.loaded:
            return None
        for entry in [str(self.loaded[top][0])] if path is None else path:
            spec = FileFinder(entry, (_FromSource, [".py"])).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        return None


_BESIDE = _Beside()


def top_of(module: str) -> str:
    """The package, or the module, that a dotted name begins with."""
    return module.partition(".")[0]


def lies_beside(name: str, folder: Path) -> bool:
    """Whether a plugin of that name is a file or a package in the folder of the grid."""
    top = top_of(name)
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()


def imported(name: str, folder: Path | None) -> ModuleType:
    """The module of a dotted name.

    Parameters
    ----------
    folder : of the grid file, where it lies beside it; None for one that Python finds.

    Raises
    ------
    PluginError
        Where there is none, it fails, or another module has its name.
    """
    top = top_of(name)
    if top in OURS or top in sys.stdlib_module_names:
        whose = "modalgrid" if top in OURS else "Python"
        raise PluginError(f"{top} is the name of a module of {whose}: give the plugin another")
    if folder is not None:
        _make_ready(top, folder)
    elif _BESIDE.loaded.pop(top, None) is not None:
        _forget(top)
    invalidate_caches()
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        if folder is not None:
            _BESIDE.loaded.pop(top)
            _forget(top)
        raise PluginError(_why(name, folder, error)) from error


def _make_ready(top: str, folder: Path) -> None:
    """Let `top` be imported from a folder: anew only where its source is other than before.

    What was made of its classes could else be sent to no other process.
    """
    package = folder / top
    is_package = (package / "__init__.py").is_file()
    source = folder, _digest_of([package] if is_package else [], folder / f"{top}.py")
    if _BESIDE.loaded.get(top) == source:
        return
    module = sys.modules.get(top)
    if top in _BESIDE.loaded:
        _forget(top)
    elif module is not None and not _is_in(module, folder):
        there = getattr(module, "__file__", None) or "built in"
        raise PluginError(
            f"{top} in {folder} has the name of a module that is imported already ({there}): "
            "rename it"
        )
    _BESIDE.loaded[top] = source
    if _BESIDE not in sys.meta_path:
        sys.meta_path.insert(0, _BESIDE)


def _is_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(os.path.realpath(file)).is_relative_to(
        os.path.realpath(folder)
    )


def _forget(top: str) -> None:
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]


def _why(name: str, folder: Path | None, error: BaseException) -> str:
    """Why a module cannot be imported: that there is none, or the error with its file and line."""
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
        beside = "" if folder is None else f" in {folder}"
        return (
            f"there is no module {error.name}{beside}: a plugin is a file NAME.py or a package "
            "NAME beside the grid file, or a module that Python can import"
        )
    said = in_a_line(error)
    return f"{name} fails when it is imported: {said}{_place_of(error, name)}"


def _place_of(error: BaseException, name: str) -> str:
    """Where an error was raised: in the plugin's own lines, where any of them had a part in it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    plugin = [
        frame for frame in frames
        if top_of(name) in (Path(frame.filename).stem, *Path(frame.filename).parts)
    ]
    frame = (plugin or frames)[-1]
    return f" ({frame.filename}, line {frame.lineno})"


def code_digest(top: str) -> str:
    """Sha256 of the source of a module that is imported, or of all source files of a package.

    Of what lies beside a grid, as it was when it was imported.

    Raises
    ------
    PluginError
        Where it has no source.
    """
    if top in _BESIDE.loaded:
        return _BESIDE.loaded[top][1]
    module = sys.modules[top]
    file = getattr(module, "__file__", None)
    return _digest_of(
        sorted(map(Path, getattr(module, "__path__", ()))), None if file is None else Path(file)
    )


def _digest_of(folders: Sequence[Path], file: Path | None) -> str:
    """Of the source files in the folders of a package; where there are none, of a file."""
    packages = [folder for folder in folders if folder.is_dir()]
    try:
        if packages:
            digests = [folder_digest(folder, [".py"]) for folder in packages]
            joined = "\n".join(digests).encode()
            return digests[0] if len(digests) == 1 else hashlib.sha256(joined).hexdigest()
        if file is not None:
            return content_digest(file)
    except OSError as error:
        raise PluginError(f"its source cannot be read: {error}") from error
    raise PluginError("it has no source whose digest could stand in keys")
