from __future__ import annotations

import logging
import pickle
import sys
from pathlib import Path

import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from models.early.concat import Concat
from pipeline.config.grid import Grid, GridError
from pipeline.config.parse import parse_grid, read_grid
from pipeline.config.plugins.active import Carried, activate, carried, versions
from pipeline.config.plugins.modules import PluginError
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS
from pipeline.plan.versions import package_versions
from pipeline.results.lock import lock_text
from pipeline.tasks.digests import metric_ingredients, model_ingredients
from pipeline.tasks.encoding.requests import describe_encoder
from reports.sections import SECTIONS
from tests.support.extending import ENTRIES, code, install, write_own

DATA = {"data": {"source": "openmoji"}, "text": ["bow"], "fusion": ["text_only"]}
FUSION = '''
from models.early.concat import Concat as Base
from dataclasses import dataclass

@dataclass(kw_only=True, eq=False, repr=False)
class Concat(Base):
    """Ours once more."""
    version = 1

FUSIONS = {"mine": Concat}
'''


def problems_of(folder: Path, *plugins: str, **content: object) -> str:
    with pytest.raises(GridError) as caught:
        parse_grid({**DATA, **content, "plugins": list(plugins)}, folder / "grid.yaml")
    return str(caught.value)


def with_plugin(folder: Path, text: str, name: str = "mine") -> Grid:
    (folder / f"{name}.py").write_text(text)
    return parse_grid({**DATA, "plugins": [name]}, folder / "grid.yaml")


def test_the_parts_of_the_page_are_registered_and_those_of_another_grid_forgotten(tmp_path):
    ours = [dict(names) for names in (IMAGE_ENCODERS, FUSIONS, CLASSIFIERS, METRICS, SOURCES)]
    grid = read_grid(write_own(tmp_path))
    assert grid.plugins == ("my_parts",)
    assert [component.name for component in grid.image] == ["brightness"]
    assert dict(grid.image[0].parameters) == {"bins": 8}
    assert {"nearest_mean", "extra_trees"} <= {*FUSIONS, *CLASSIFIERS}
    assert list(SECTIONS)[-1] == "sizes"
    with pytest.raises(GridError, match=r"brightness\.bins: bins: value should be less"):
        parse_grid(
            {**DATA, "plugins": "my_parts", "image": {"brightness": {"bins": 999}}},
            tmp_path / "grid.yaml",
        )
    parse_grid(DATA, tmp_path / "grid.yaml")
    assert [
        dict(names) for names in (IMAGE_ENCODERS, FUSIONS, CLASSIFIERS, METRICS, SOURCES)
    ] == ours
    assert "sizes" not in SECTIONS
    assert versions() == {}


def test_the_lock_names_plugins_with_their_digest_and_reads_the_same(tmp_path):
    grid = read_grid(write_own(tmp_path))
    text = lock_text(grid, package_versions(), "")
    (digest,) = versions().values()
    assert f"# plugin my_parts: {digest}\n" in text
    (tmp_path / "again.yaml").write_text(text)
    assert read_grid(tmp_path / "again.yaml").plugins == grid.plugins


def test_what_decides_a_value_of_a_plugin_is_its_source_too(tmp_path):
    with_plugin(tmp_path, FUSION)
    first = FUSIONS["mine"]
    known = model_ingredients(first(classifier=CLASSIFIERS["logistic"]()))
    ours = model_ingredients(Concat(classifier=CLASSIFIERS["logistic"]()))
    assert known["class"] == ours["class"] == "Concat"
    assert known != ours
    assert set(known) - set(ours) == {"module", "code"}
    with_plugin(tmp_path, FUSION)
    assert FUSIONS["mine"] is first, "what has not changed is not imported anew"
    with_plugin(tmp_path, FUSION.replace("once more", "once MORE"))  # as long, in the same second
    changed = FUSIONS["mine"]
    assert changed.__doc__ == "Ours once MORE."
    assert model_ingredients(changed(classifier=CLASSIFIERS["logistic"]())) != known


def test_encoders_and_metrics_of_a_plugin_have_its_digest_in_keys(tmp_path):
    read_grid(write_own(tmp_path))
    description = describe_encoder(IMAGE_ENCODERS["brightness"]())
    assert description["module"] == "my_parts"
    assert len(description["code"]) == 64
    assert metric_ingredients("matthews", 1) == ["matthews", 1, description["code"]]
    assert metric_ingredients("log_loss", 1) == ["log_loss", 1]
    assert "code" not in describe_encoder(TEXT_ENCODERS["bow"]())


@pytest.mark.parametrize(("text", "said"), [
    ("FUSIONS = {'x': object}",
     "fusion 'x' of mine lacks the base class models.fusion.Fusion, a method fit, a method "
     "predict_proba, version (ClassVar[int], from 1 on), needs"),
    ("from models.fusion import Fusion\nclass X(Fusion):\n    version = 1\n    needs = {}\n"
     "    def fit(self, views, y): ...\nFUSIONS = {'x': X}",
     "fusion 'x' of mine lacks a method predict_proba"),
    ("from features.encoder import Encoder\nclass X(Encoder):\n    version = 0\n"
     "    def __init__(self, size, *more): ...\nENCODERS = {'x': X}",
     "encoder 'x' of mine lacks a method transform, version (ClassVar[int], from 1 on), a type of "
     "its parameter size, parameters by name (its constructor takes *more), modality"),
    ("CLASSIFIERS = {'x': 3}", "classifier 'x' of mine lacks a class (it is int)"),
    ("METRICS = {'x': max}", "lacks pipeline.metrics.metric.Metric around its function"),
    ("from reports.section import Section\nSECTIONS = {'x': Section('X', len, html='{% if %}')}",
     "lacks html that can be read (line 1: Expected an expression, got 'end of statement block'), "
     "markdown (the text of a template)"),
    ("class X:\n    def __init__(self, path: 'Nothing') -> None: ...\nSOURCES = {'x': X}",
     "source 'x' of mine lacks a method load, a type of path that a grid can be checked by"),
    ("SOURCES = {'a b': dict}", "lacks a name of letters, digits and _"),
    ("SOURCES = []", "SOURCES maps names to parts: it is no mapping but list"),
    ("x = 1", "the module adds nothing: it has none of ENCODERS, FUSIONS, CLASSIFIERS, METRICS"),
    ("from models.early.concat import Concat\nFUSIONS = {'concat': Concat}",
     "fusion 'concat' of mine: modalgrid has one of that name, too: rename it"),
])  # fmt: skip
def test_what_a_plugin_lacks_is_said_when_the_grid_is_read(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    message = problems_of(tmp_path, "mine")
    assert message.startswith("grid.yaml: plugins[0]: ")
    assert said in message
    assert "\n" not in message


def test_two_plugins_with_a_name_are_both_named(tmp_path):
    for name in ("mine", "yours"):
        (tmp_path / f"{name}.py").write_text(FUSION)
    message = problems_of(tmp_path, "mine", "yours").splitlines()
    assert "fusion 'mine' of mine: yours has one of that name, too" in message[0]
    assert "fusion 'mine' of yours: mine has one of that name, too" in message[1]
    assert "mine" not in FUSIONS


def test_names_that_are_no_modules_are_refused(tmp_path):
    (tmp_path / "mine.py").write_text(FUSION)
    assert "not 'mine.py'" in problems_of(tmp_path, "mine.py")
    assert "mine is listed twice" in problems_of(tmp_path, "mine", "mine")


def test_installed_packages_need_no_naming(tmp_path):
    site = tmp_path / "site"
    install(site, "own-parts", "1.2", ENTRIES)
    (site / "my_parts.py").write_text(code())
    sys.path.insert(0, str(site))
    grid = parse_grid(
        {**DATA, "image": ["brightness"], "fusion": ["nearest_mean"], "metric": "matthews"},
        tmp_path / "grid.yaml",
    )
    assert grid.plugins == ()
    assert {"sizes", "captions", "extra_trees"} <= {*SECTIONS, *SOURCES, *CLASSIFIERS}
    ((name, shown),) = versions().items()
    assert name == "plugin own-parts"
    assert shown.startswith("1.2, code ")
    assert f"# {name}: {shown}\n" in lock_text(grid, package_versions(), "")
    # the same module, named: every part is there twice
    assert "own-parts has one of that name" in problems_of(tmp_path, "my_parts")


def test_what_is_wrong_with_an_installed_part_is_said_once_and_hinders_no_other(tmp_path, caplog):
    site = tmp_path / "site"
    install(site, "broken", "0.1", {
        "fusions": "falls = falls:X\nmine = stands:Concat", "encoders": "gone = stands:Gone"})
    (site / "falls.py").write_text("\n1 / 0\n")
    (site / "stands.py").write_text(FUSION)
    sys.path.insert(0, str(site))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            parse_grid({**DATA, "image": ["handcrafted"], "fusion": ["mine"]}, tmp_path / "g.yaml")
    assert [record.getMessage() for record in caplog.records] == [
        "warning: not used: plugin broken: encoder 'gone': module 'stands' has no attribute 'Gone'",
        "warning: not used: plugin broken: fusion 'falls': falls fails when it is imported: "
        f"ZeroDivisionError: division by zero ({site / 'falls.py'}, line 2)",
    ]
    assert "falls" not in FUSIONS
    # in a worker, too: it has what the run has
    travelled, path = carried(), sys.path.pop(0)
    activate((), tmp_path)
    assert "mine" not in FUSIONS
    sys.path.insert(0, path)
    assert travelled() == versions() != {}
    assert "mine" in FUSIONS


def test_another_process_has_the_same_or_says_why_not(tmp_path):
    with_plugin(tmp_path, FUSION)
    travelled: Carried = pickle.loads(pickle.dumps(carried()))
    here = FUSIONS["mine"]
    pickled = pickle.dumps(here)
    assert travelled() == versions()
    assert FUSIONS["mine"] is here
    activate((), tmp_path)
    assert "mine" not in FUSIONS
    travelled()
    assert pickle.loads(pickled) is FUSIONS["mine"]
    activate((), tmp_path)
    (tmp_path / "mine.py").write_text(FUSION + "\n")
    with pytest.raises(PluginError, match=r"plugin mine has code \w+ here, and \w+ where the run"):
        travelled()
    (tmp_path / "mine.py").unlink()
    with pytest.raises(
        PluginError, match=r"fusion 'mine' of mine cannot be used here: .*there is no module mine"
    ):
        travelled()
