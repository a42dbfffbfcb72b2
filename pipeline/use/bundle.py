"""A bundle: a folder that holds a fitted cell, can be moved, and is refused when it was touched."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.estimator import Estimator
from features.machine.extras import lacking, not_installed
from pipeline.config.plugins.active import plugin_classes, plugins_of
from pipeline.config.plugins.modules import top_of
from pipeline.config.plugins.named import with_installed, with_named
from pipeline.store.files import sha256
from pipeline.store.keys import canonical
from pipeline.store.manifest import sealed
from pipeline.tasks.encoding.requests import describe_encoder, differing_parts
from pipeline.use.exporting.runtime import NOT_ASKED, Runtime, exported_cell, runs_by_onnx
from pipeline.use.fitted import EncodingModel, FittedCell, Items, PredictingCell
from pipeline.use.problem import BundleError
from pipeline.use.python.explanation import Explanation, explained
from pipeline.use.python.given import PictureLike, Pictures, Texts, given_items
from pipeline.use.sealed import Kind, read_arrays, write_arrays
from pipeline.use.state import State, put_together, taken_apart
from pipeline.use.weights.checking import WEIGHTS, check_weights
from pipeline.use.weights.copying import with_weights
from reports.page.files import aside_of

BUNDLE = Kind("bundle", "bundle.json", 1)
MANIFEST = BUNDLE.manifest
ARRAYS, PARTS = "arrays.safetensors", "sklearn"
AT_ONCE = 512  # items whose features are in memory together
CODE = "code"  # what the digest of a plugin's source is called in a description
REQUIRES = "requires"  # modules that the base install does not bring
LIBRARIES = "libraries"  # what an encoder's identity calls the versions of packages


class Bundle:
    """A fitted cell, and what is known of it.

    Parameters
    ----------
    cell : what predicts.
    about : name of the cell, the data it learned from, its scores, versions; plain data.
    """

    def __init__(self, cell: PredictingCell, about: Mapping[str, Any]) -> None:
        self.cell, self.about = cell, about

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of probabilities."""
        return self.cell.classes

    def save(
        self, folder: Path, others: Mapping[str, bytes], *, standalone: bool = False
    ) -> None:
        """Write the bundle into a new folder, with other files by name.

        It is written beside it first, so that there is all of it or nothing.

        Parameters
        ----------
        standalone : whether the weights of pretrained encoders are copied into it.

        Raises
        ------
        BundleError
            Where the folder holds something already, or weights cannot be taken along; where it was
            loaded for ONNX Runtime, and so in part.
        """
        check_is_new(folder)
        target = folder.absolute()
        aside = aside_of(target)
        try:
            self._write(aside, others, standalone)
            _put_in_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write(self, folder: Path, others: Mapping[str, bytes], standalone: bool) -> None:
        if not isinstance(self.cell, FittedCell):
            raise BundleError(
                "what was loaded for ONNX Runtime is no whole bundle: copy its folder"
            )
        cell = with_weights(self.cell, folder) if standalone else self.cell
        state = taken_apart(cell, folder)
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        write_arrays(state.arrays, folder / ARRAYS)
        parts = {path: f"{PARTS}/{number}.skops" for number, path in enumerate(state.parts)}
        for path, name in parts.items():
            (folder / name).write_bytes(state.parts[path])
        for name, written in others.items():
            (folder / name).write_bytes(written)
        names = (ARRAYS, *parts.values(), *others, *_weights(folder))
        files = {name: sha256(folder / name) for name in names}
        content = {
            "kind": BUNDLE.name,
            "format": BUNDLE.format,
            "about": dict(self.about),
            "classes": list(self.classes),
            "encoders": _described(cell.models),
            REQUIRES: _required(cell),
            **_plugins(state.tree),
            "tree": state.tree,
            "parts": parts,
            "files": files,
        }
        (folder / MANIFEST).write_text(sealed(canonical(content)), encoding="utf-8")

    @classmethod
    def load(
        cls, folder: Path | str, runtime: Runtime = "python", *, plugins: Sequence[str] = ()
    ) -> Self:
        """The bundle in a folder.

        Parameters
        ----------
        runtime : "onnx" for ONNX Runtime, which asks what `--onnx` has exported: PyTorch is not
            imported, and need not be installed.
        plugins : modules with parts that it holds, trusted by whoever names them: importable, or
            in the working folder. Installed packages need no naming.

        Raises
        ------
        BundleError
            Where it is none, incomplete, was touched, has parts of plugins that are not here, its
            encoders are other ones here, or it has nothing for the runtime; with the reason.
        PluginError
            Where a plugin that is named cannot be used.
        """
        folder = Path(folder)
        if plugins:
            with_named(plugins)
        manifest = read_manifest(folder)
        _check_plugins(manifest.get("plugins", []), folder)
        with BUNDLE.naming(folder):
            by_onnx = runs_by_onnx(runtime, manifest["about"], folder)
            _check_files(folder, manifest["files"])
            if not by_onnx:
                _check_installed(folder, manifest.get(REQUIRES, []))
            state = _state(folder, manifest)
            cell = put_together(state, folder, without=NOT_ASKED if by_onnx else None)
            if not isinstance(cell, FittedCell):
                raise ValueError("it holds no cell")
            exported = exported_cell(cell, manifest, folder) if by_onnx else None
        models = cell.models if exported is None else exported.unchanged()
        _check_encoders(models, manifest["encoders"], folder)
        return cls(exported or cell, manifest["about"])

    def predict_items(self, items: Items) -> NDArray[np.float64]:
        """Calibrated probabilities (n, K) of n items; see FittedCell.predict_proba."""
        return self.cell.predict_proba(items)

    def predict_proba(
        self, pictures: Pictures | None = None, texts: Texts | None = None
    ) -> NDArray[np.float64]:
        """Calibrated probabilities of items, in columns as `classes`.

        Parameters
        ----------
        pictures : a path, an encoded file as bytes, a picture of Pillow, or a uint8 array (height,
            width) or (height, width, 3); or n of them, where None stands for a missing one. None:
            all are missing.
        texts : a text, or n of them, likewise.

        Returns
        -------
        float64 (n, K); (K,) of a single picture, text or both, given without a list.

        Raises
        ------
        ItemError
            With every picture that cannot be read, and every item that has nothing that the model
            looks at: position and reason.
        ValueError
            Where there are not as many pictures as texts.
        """
        given = given_items(pictures, texts, self.cell.modalities)
        count = len(next(iter(given.items.values())))
        with given.naming_unreadable():
            parts = [
                self.predict_items({
                    modality: samples[at:at + AT_ONCE] for modality, samples in given.items.items()
                })
                for at in range(0, count, AT_ONCE)
            ]
        probabilities = np.concatenate([np.zeros((0, len(self.classes))), *parts])
        return probabilities[0] if given.single else probabilities

    def predict(
        self, pictures: Pictures | None = None, texts: Texts | None = None
    ) -> str | list[str]:
        """The most probable class of each item, a single name of a single item.

        Takes and raises what `predict_proba` does.
        """
        probabilities = self.predict_proba(pictures, texts)
        if probabilities.ndim == 1:
            return self.classes[int(probabilities.argmax())]
        return [self.classes[code] for code in probabilities.argmax(axis=1)]

    def explain(
        self, picture: PictureLike | None = None, text: str | None = None
    ) -> Explanation:
        """What the prediction of a single item rests on: see Explanation.

        Takes and raises what `predict_proba` does.
        """
        given = given_items(
            None if picture is None else [picture],
            None if text is None else [text],
            self.cell.modalities,
        )
        with given.naming_unreadable():
            return explained(self.cell, given.items)


def check_is_new(folder: Path) -> None:
    """Raise BundleError where there is something already at a bundle's folder."""
    if folder.exists() and not folder.is_dir():
        raise BundleError(f"{folder} is a file: name a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise BundleError(f"{folder} is not empty: name a new folder")


def _put_in_place(aside: Path, target: Path) -> None:
    """Move a bundle to its folder, which is empty or not there: at once, where the system can."""
    try:
        aside.replace(target)
    except OSError:  # a folder that something is mounted at, for example
        target.mkdir(exist_ok=True)
        # without a manifest it is no bundle
        for path in sorted(aside.iterdir(), key=lambda path: path.name == MANIFEST):
            path.replace(target / path.name)


def _weights(folder: Path) -> list[str]:
    """Names of the files of weights in a bundle."""
    paths = sorted((folder / WEIGHTS).rglob("*"))
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a bundle says of itself: plain data, read without loading anything.

    Raises
    ------
    BundleError
        Where there is no bundle, or its manifest was changed.
    """
    return BUNDLE.read(folder)


def _described(models: Sequence[EncodingModel]) -> list[dict[str, Any]]:
    """The encoders of each model by modality: class, version, parameters, identity."""
    return [
        {modality: describe_encoder(encoder) for modality, encoder in model.encoders.items()}
        for model in models
    ]


def _check_files(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise ValueError where a file is missing or was changed."""
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise ValueError(f"its file {name} is missing")
        if sha256(folder / name) != digest:
            raise ValueError(f"its file {name} was changed")


def _state(folder: Path, manifest: Mapping[str, Any]) -> State:
    """What the cell is made of."""
    parts = {path: (folder / name).read_bytes() for path, name in manifest["parts"].items()}
    check_weights(folder, manifest["files"])
    return State(manifest["tree"], read_arrays(folder / ARRAYS), parts)


def _plugins(tree: Any) -> dict[str, list[dict[str, str]]]:
    """What a manifest says of the plugins whose classes the cell holds; nothing where it is none's.

    `module` is only compared with the modules of plugins that are there.
    """
    known = plugin_classes()
    text = canonical(tree) if known else ""
    classes = [name for name in known if f'"{name}"' in text]
    listed: list[dict[str, str]] = []
    for module in sorted({top_of(name.partition(":")[0]) for name in classes}):
        listed += [
            {"module": module, "name": plugin.name, "version": plugin.version, "code": plugin.code}
            for plugin in plugins_of([module])
        ]
    return {"plugins": listed} if listed else {}


def _check_plugins(listed: list[dict[str, str]], folder: Path) -> None:
    """Refuse a bundle with parts of plugins that do not take part; warn of other code."""
    if listed:
        with_installed()
    for about in listed:
        here = {plugin.name: plugin for plugin in plugins_of([about["module"]])}
        if about["name"] not in here:
            raise BundleError(
                f"{folder} has parts of the plugin {about['name']}"
                f"{' ' + about['version'] if about['version'] else ''}, which is not here: install "
                f"it, or, if it is a module that you trust, name it: --plugin {about['module']} "
                f'(from Python, Bundle.load(..., plugins=["{about["module"]}"])); nothing is '
                "imported because a bundle names it"
            )
        if here[about["name"]].code != about["code"]:
            warnings.warn(
                f"{folder} was made with other code of the plugin {about['name']} than there is "
                "here: its predictions may differ",
                stacklevel=4,
            )


def _required(cell: FittedCell) -> list[str]:
    """Modules that encoders and fusions import and the base install does not bring, sorted."""
    parts: list[Estimator] = [model.fusion for model in cell.models]
    for model in cell.models:
        parts += model.encoders.values()
    return sorted(set(chain.from_iterable(part.all_required() for part in parts)))


def _check_installed(folder: Path, modules: object) -> None:
    """Refuse what needs modules that are not installed; ValueError where it names none."""
    named = modules if isinstance(modules, list) else [modules]
    # of a name with a dot, Python would import the first part to look for the second
    names = [name for name in named if isinstance(name, str) and name.isidentifier()]
    if names != named:
        raise ValueError(f"what it says of modules is damaged: {modules!r}")
    missing = not_installed(names)
    if missing:
        raise BundleError(lacking(str(folder), missing))


def _check_encoders(
    models: Sequence[EncodingModel], expected: list[dict[str, Any]], folder: Path
) -> None:
    """Refuse other weights or another version of an encoder; warn of other packages."""
    problems: list[str] = []
    for here, there in zip(_described(models), expected, strict=True):
        for modality, description in here.items():
            differing = list(differing_parts(description, there[modality]))
            if set(differing) <= {CODE}:
                continue  # it was said of the plugin
            if set(differing) <= {LIBRARIES, CODE}:
                warnings.warn(
                    f"the {modality} encoder of {folder} was used with other packages: "
                    f"{there[modality]['identity'][LIBRARIES]}; its features may differ a little",
                    stacklevel=3,
                )
            elif differing:
                problems.append(f"the {modality} encoder's {' and '.join(differing)}")
    if problems:
        raise BundleError(
            f"{folder} was made with other encoders than there are here: {', '.join(problems)} "
            "differ"
        )
