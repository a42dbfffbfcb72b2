"""What the pages tell a reader to type is what the code takes, and what they name is there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from configparser import ConfigParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.parse import parse_grid
from pipeline.config.yaml_lines import parse_yaml
from pipeline.metrics import METRICS
from pipeline.program.names import COMMANDS
from reports.retrieval import RETRIEVAL_SECTIONS
from reports.sections import SECTIONS
from tests.docs.snippets import Snippet, blocks, command_lines, mentioned_commands, pages
from tests.support.paths import ROOT

# What a snippet that shows some keys leaves out.
REST = {
    "data": {"source": "table", "path": "items.csv", "image": "picture", "text": "title",
             "label": "class"},
    "image": ["cnn"],
    "text": ["tfidf"],
}
# Programs of others, whose options are theirs to check.
FOREIGN = {"dask", "curl", "sphinx-build", "docker", "mlflow", "trackio"}
PATH = re.compile(
    r"`((?:features|models|pipeline|reports|tests|grids|benchmarks|docs)/[\w/]+\.\w+)`"
)
LINK = re.compile(r"\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)")


def identified(snippets: list[Snippet]) -> list[object]:
    return [pytest.param(snippet, id=f"{snippet.where} {snippet.text[:40]!r}")
            for snippet in dict.fromkeys(snippets)]


@pytest.mark.parametrize("snippet", identified(blocks("yaml")))
def test_grids_are_read(snippet: Snippet):
    content, _, problems = parse_yaml(snippet.text)
    assert problems == []
    grid = parse_grid({**REST, **content}, ROOT / "snippet.yaml")
    assert grid.fusion


def module_of(name: str) -> str:
    """The module that `python -m NAME` runs."""
    spec = find_spec(name)
    assert spec is not None, f"there is no module {name}"
    return f"{name}.__main__" if spec.submodule_search_locations is not None else name


def extras() -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(setup["options.extras_require"])


def check_install(words: list[str]) -> None:
    for requirement in words[2:]:
        if match := re.fullmatch(r"\.\[([\w,]+)\]", requirement):
            assert set(match[1].split(",")) <= extras()


def check_own(name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command of ours takes these arguments."""
    if name.startswith(("benchmarks", "tests")):
        assert find_spec(module_of(name)) is not None
        return
    parser = import_module(module_of(name)).parser()
    try:
        parser.parse_args(arguments)
    except SystemExit:
        pytest.fail(capsys.readouterr().err)


@pytest.mark.parametrize("snippet", identified(command_lines()))
def test_command_lines_are_understood(snippet: Snippet, capsys: pytest.CaptureFixture[str]):
    words = shlex.split(snippet.text)
    if ">" in words:
        words = words[: words.index(">")]
    if words[0] in FOREIGN or words == ["pytest"]:
        return
    if words[0] == "pip":
        check_install(words)
    elif words[0] == "modalgrid":
        command = COMMANDS[words[1]]
        parser = import_module(command.module).parser()
        try:
            parser.parse_args([*command.first, *words[2:]])
        except SystemExit:
            pytest.fail(capsys.readouterr().err)
    else:
        assert words[:2] == ["python", "-m"], f"{snippet.text}: what is {words[0]}?"
        check_own(words[2], words[3:], capsys)


@pytest.mark.parametrize("snippet", identified(mentioned_commands()))
def test_commands_that_are_mentioned_are_there(snippet: Snippet):
    program, *words = shlex.split(snippet.text)
    if program == "modalgrid":
        assert words[0] in COMMANDS
    elif not words[1].isupper() and "COMMAND" not in words[1]:
        assert module_of(words[1])


@pytest.mark.parametrize("snippet", identified(blocks("python")))
def test_python_imports_what_there_is(snippet: Snippet):
    imports = [node for node in ast.walk(ast.parse(snippet.text))
               if isinstance(node, ast.ImportFrom)]
    for node in imports:
        module = import_module(str(node.module))
        assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path):
    text = page.read_text(encoding="utf-8")
    assert [name for name in PATH.findall(text) if not (ROOT / name).exists()] == []
    assert [name for name in LINK.findall(text) if not (page.parent / name).exists()] == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("encoders.md", {**IMAGE_ENCODERS, **TEXT_ENCODERS}),
        ("fusions.md", FUSIONS),
        ("fusions.md", CLASSIFIERS),
        ("grid.md", METRICS),
    ],
    ids=["encoders", "fusions", "classifiers", "metrics"],
)
def test_a_page_says_of_each_part_when_to_take_it(page: str, names: Mapping[str, object]):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}" not in text] == []


def test_statistics_explains_every_section_of_the_report():
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    titles = {section.title for section in [*SECTIONS.values(), *RETRIEVAL_SECTIONS.values()]}
    assert [title for title in sorted(titles) if f"### {title}\n" not in text] == []


def test_the_readme_stays_short():
    """What is more than a first look belongs on a page."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 700
