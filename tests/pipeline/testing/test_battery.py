"""The checks of a plugin: the page's keeps its contracts, and what breaks one is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from models import FUSIONS
from pipeline.config.plugins.active import activate
from pipeline.config.plugins.modules import PluginError
from pipeline.testing import checks_of
from pipeline.testing.__main__ import main
from pipeline.testing.sections import CHECKS as OF_SECTIONS
from reports.sections import SECTIONS
from tests.support.extending import DOCS, code, write_items
from tests.support.paths import ROOT

BROKEN = '''
from dataclasses import dataclass
import numpy as np
from models.fusion import Fusion
from pipeline.metrics.metric import Metric

@dataclass(kw_only=True, eq=False, repr=False)
class Forgetful(Fusion):
    """Gives every class the same share, whatever it has learned."""
    version = 1
    needs = {"text": "pooled"}

    def fit(self, views, y):
        self._learn_from(views, y)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, views):
        self._known(views)
        return np.full((len(views), len(self.classes_)), 1 / len(self.classes_))

FUSIONS = {"forgetful": Forgetful}
METRICS = {"upside_down": Metric(lambda labels, p: float(-(p.argmax(1) == labels).mean()))}
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    activate((), tmp_path)
    for name in ("my_parts", "broken_parts"):
        sys.modules.pop(name, None)


def write_checked(folder):
    """The plugin of the page with the examples that it speaks of, and items for its source."""
    text = DOCS.read_text(encoding="utf-8")
    (examples,) = [line for line in text.split("`") if line.startswith("EXAMPLES = ")]
    (folder / "my_parts.py").write_text(f"{code()}\n{examples}\n")
    write_items(folder)


def test_the_plugin_of_the_page_keeps_its_contracts(folder, capsys):
    write_checked(folder)
    assert main(["my_parts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "encoder brightness", "encoder brightness (pooled)", "fusion nearest_mean",
        "classifier extra_trees", "metric matthews", "section sizes", "source captions",
    ]  # fmt: skip
    assert all(line.endswith("none failed") for line in lines)


def test_what_breaks_a_contract_is_told_with_rule_and_place(folder, capsys):
    (folder / "broken_parts.py").write_text(BROKEN)
    assert main(["broken_parts"]) == 1
    said = capsys.readouterr().out
    assert "Fusion gives probabilities in the order of its classes." in said
    assert "assert np.mean(fitted.predict(train) == y) > 0.9" in said
    assert "The right predictions score better than random ones" in said
    assert "metric upside_down: 3 checks, 1 failed" in said


def test_in_a_suite_of_ones_own_a_line_is_enough(folder):
    write_checked(folder)
    text = DOCS.read_text(encoding="utf-8")
    block = text.partition("```python\n# test_my_parts.py\n")[2].partition("```")[0]
    (folder / "test_my_parts.py").write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "sizes or captions",
         "test_my_parts.py"],
        cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_a_source_without_an_example_and_an_example_without_a_part_are_told(folder):
    (folder / "my_parts.py").write_text(code())
    (check,) = [check for check in checks_of("my_parts") if "captions" in check.part]
    with pytest.raises(AssertionError, match='say EXAMPLES'):
        check()
    (folder / "my_parts.py").write_text(code() + "\nEXAMPLES = {'nothing': {}}\n")
    with pytest.raises(PluginError, match="EXAMPLES of my_parts is of parts that it has not: noth"):
        checks_of("my_parts")


def test_a_module_that_is_not_there_is_no_traceback(folder, capsys):
    assert main(["nowhere"]) == 2
    assert "there is no module nowhere" in capsys.readouterr().err
    assert "nearest_mean" not in FUSIONS


@pytest.mark.parametrize("check", OF_SECTIONS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SECTIONS)
def test_our_sections_keep_their_contract(name, check):
    check(name, SECTIONS[name])
