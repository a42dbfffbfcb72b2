"""What a fitted object holds, as JSON, arrays and scikit-learn's own parts: nothing of it is code.

Of an object, its class and attributes are written; it is made again without calling its
constructor. Only classes of `pipeline.use.trusted` are, and numbers, texts and arrays.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.config.plugins.active import name_of, plugin_classes, plugins_of
from pipeline.use.checks.compiled import check_compiled
from pipeline.use.trusted import MODULES, OBJECTS, SETTINGS, SKLEARN, class_of
from pipeline.use.weights.checking import WEIGHTS

# What is read as itself. Everything else is an object with one key that says what it is.
PLAIN = str | bool | int | None


@dataclass(frozen=True)
class State:
    """A value taken apart.

    Parameters
    ----------
    tree : JSON.
    arrays : by the names that `tree` gives them.
    parts : files of skops, likewise.
    """

    tree: Any
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)


def taken_apart(value: Any, folder: Path | None = None) -> State:
    """The state of a value.

    Parameters
    ----------
    folder : of the bundle: files in it are named from there, and no others may be.

    Raises
    ------
    TypeError
        Where a part of it is of a class that no bundle may hold, with the way to it.
    """
    writer = _Writer(folder)
    tree = writer.written(value, "")
    return State(tree, writer.arrays, writer.parts)


def put_together(
    state: State, folder: Path | None = None, without: Mapping[str, Collection[str]] | None = None
) -> Any:
    """The value of a state.

    Parameters
    ----------
    folder : of the bundle, where its files are.
    without : attributes that are left None, by the names of classes: what they hold is not read,
        and nothing that it needs is imported.

    Raises
    ------
    ValueError
        Where it is not one that `taken_apart` gives: another class, an array that is missing.
    """
    return _Reader(state, folder, without or {}).read(state.tree)


class _Writer:
    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.arrays: dict[str, NDArray[Any]] = {}
        self.parts: dict[str, bytes] = {}

    def written(self, value: Any, path: str) -> Any:
        if isinstance(value, PLAIN) and not isinstance(value, np.generic):
            return value
        if isinstance(value, float) and not isinstance(value, np.generic):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.ndarray | np.generic) or sparse.issparse(value):
            return self._numbers(value, path)
        if type(value) in (list, tuple):
            items = [self.written(item, f"{path}.{number}") for number, item in enumerate(value)]
            return {type(value).__name__: items}
        if type(value) is dict:
            pairs = [
                [self.written(name, path), self.written(item, f"{path}.{name}")]
                for name, item in value.items()
            ]
            return {"dict": pairs}
        return self._object(value, path)

    def _numbers(self, value: Any, path: str) -> Any:
        if isinstance(value, np.generic):
            return {"number": self._array(np.asarray(value), path)}
        if not sparse.issparse(value):
            return {"array": self._array(value, path)}
        csr = sparse.csr_matrix(value)
        names = [
            self._array(array, f"{path}.{name}")
            for name, array in (("data", csr.data), ("indices", csr.indices), ("ends", csr.indptr))
        ]
        return {"csr": [*names, list(csr.shape)]}

    def _array(self, array: NDArray[Any], path: str) -> str:
        if array.dtype.kind not in "biufU":
            raise TypeError(f"{path} is an array of {array.dtype}, which no bundle holds")
        self.arrays[path] = np.ascontiguousarray(array).reshape(array.shape)
        return path

    def _object(self, value: Any, path: str) -> Any:
        if isinstance(value, Path):
            if self._folder and value.is_relative_to(self._folder):
                return {"file": value.relative_to(self._folder).as_posix()}
            return {"path": str(value)}  # of weights on this machine
        name = name_of(type(value))
        of_plugin = name in plugin_classes()
        if name in MODULES or (of_plugin and _is_network(value)):
            return self._module(value, name, path)
        if name in OBJECTS or of_plugin:
            attributes = {
                attribute: self.written(part, f"{path}.{attribute}")
                for attribute, part in _attributes(value).items()
            }
            return {"object": [name, attributes]}
        if name in SETTINGS:
            return {"settings": [name, value.model_dump(mode="json")]}
        if type(value).__module__.split(".")[0] == "sklearn":
            return {"sklearn": self._sklearn(value, path)}
        is_plugins = bool(plugins_of([type(value).__module__]))
        advice = ", unless its plugin lists the class in BUNDLED" if is_plugins else ""
        raise TypeError(f"{path or 'it'} is a {name}, which no bundle may hold{advice}")

    def _module(self, value: Any, name: str, path: str) -> Any:
        from features.training.torch_state import arrays_of

        arguments = self.written(value.arguments, f"{path}.arguments")
        tensors = {
            tensor: self._array(array, f"{path}.tensors.{tensor}")
            for tensor, array in arrays_of(value).items()
        }
        return {"module": [name, arguments, tensors]}

    def _sklearn(self, value: Any, path: str) -> str:
        import skops.io

        self.parts[path] = skops.io.dumps(value)
        return path


def _is_network(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _attributes(value: Any) -> dict[str, Any]:
    """What an object holds, but for what it makes again of the rest, or needs only to be chosen."""
    if isinstance(value, tuple):  # a NamedTuple
        return dict(value._asdict())  # type: ignore[attr-defined]
    not_bundled = getattr(type(value), "not_bundled", frozenset[str]())
    return {
        name: part
        for name, part in vars(value).items()
        if name not in not_bundled
        and not isinstance(getattr(type(value), name, None), cached_property)
    }


class _Reader:
    def __init__(
        self, state: State, folder: Path | None, without: Mapping[str, Collection[str]]
    ) -> None:
        self._state, self._folder, self._without = state, folder, without

    def read(self, tree: Any) -> Any:
        if isinstance(tree, PLAIN | float):
            return tree
        if not isinstance(tree, dict) or len(tree) != 1:
            raise ValueError("it holds something that is no value of a bundle")
        ((kind, content),) = tree.items()
        reader = getattr(self, f"_read_{kind}", None)
        if reader is None:
            raise ValueError(f"it holds a value of the unknown kind {kind!r}")
        return reader(content)

    def _read_file(self, content: str) -> Path:
        parts = PurePosixPath(content).parts
        if self._folder is None or parts[:1] != (WEIGHTS,) or ".." in parts:
            raise ValueError(f"its file {content} is none of its weights")
        return self._folder.joinpath(*parts)

    def _read_float(self, content: str) -> float:
        return float(content)

    def _read_path(self, content: str) -> Path:
        return Path(content)

    def _read_number(self, content: str) -> Any:
        return self._array(content)[()]

    def _read_array(self, content: str) -> NDArray[Any]:
        return self._array(content)

    def _read_csr(self, content: Any) -> sparse.csr_matrix:
        data, indices, ends, shape = content
        matrix = sparse.csr_matrix(
            (self._array(data), self._array(indices), self._array(ends)), tuple(shape)
        )
        matrix.check_format(full_check=True)  # SciPy reads memory wherever the indices point
        return matrix

    def _read_list(self, content: Any) -> list[Any]:
        return [self.read(item) for item in content]

    def _read_tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self.read(item) for item in content)

    def _read_dict(self, content: Any) -> dict[Any, Any]:
        return {self.read(name): self.read(item) for name, item in content}

    def _read_object(self, content: Any) -> Any:
        name, attributes = content
        cls = class_of(name, OBJECTS)
        left_out = self._without.get(name, ())
        parts = {
            attribute: None if attribute in left_out else self.read(part)
            for attribute, part in attributes.items()
        }
        if issubclass(cls, tuple):
            return cls(**parts)
        value = object.__new__(cls)
        for attribute, part in parts.items():
            object.__setattr__(value, attribute, part)  # some are frozen
        return value

    def _read_settings(self, content: Any) -> Any:
        name, parameters = content
        cls: Any = class_of(name, SETTINGS)
        return cls.model_validate(parameters)

    def _read_module(self, content: Any) -> Any:
        from features.training.torch_state import with_arrays

        name, arguments, tensors = content
        arrays = {tensor: self._array(path) for tensor, path in tensors.items()}
        return with_arrays(class_of(name, MODULES)(**self.read(arguments)), arrays)

    def _read_sklearn(self, content: str) -> Any:
        import skops.io

        if content not in self._state.parts:
            raise ValueError(f"its part {content} is missing")
        try:
            part = skops.io.loads(self._state.parts[content], trusted=list(SKLEARN))
            check_compiled(part)
        # What was not written by skops raises nearly every kind of exception.
        except Exception as error:
            raise ValueError(f"its part {content} is refused: {error}") from error
        return part

    def _array(self, path: str) -> NDArray[Any]:
        if path not in self._state.arrays:
            raise ValueError(f"its array {path} is missing")
        return self._state.arrays[path]
