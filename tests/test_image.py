"""What the Dockerfile takes, asks for and promises is there, as far as no engine is needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from importlib import import_module
from itertools import pairwise
from pathlib import PurePosixPath

import pytest

from pipeline import serve
from pipeline.program.names import COMMANDS
from tests.docs.snippets import command_lines
from tests.support.house import PACKAGES
from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PATTERNS = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
# What the build reads beside the packages.
BESIDE = {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
# What a checkout may hold, and an image must not.
KEPT_OUT = [
    ".git/config", ".env", ".venv/bin/python", "runs/emoji/report.html", "runs/store/entries/ab",
    "store/entries/ab", "build/lib/features/block.py", "site/index.html", "grid.yaml", "items.csv",
    "tests/conftest.py", "benchmarks/RESULTS.md", "modalgrid.egg-info/PKG-INFO",
    "features/texts/__pycache__/words.cpython-311.pyc",
]


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile and what stands behind it, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        yield name, rest


def arguments() -> dict[str, str]:
    """The Dockerfile's build arguments with their defaults."""
    given = (rest.partition("=") for name, rest in instructions() if name == "ARG")
    return {name: default.strip('"') for name, _, default in given}


def settings(section: str) -> dict[str, str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return dict(setup[section])


def goes_in(path: str) -> bool:
    """Whether Docker sends a path to the builder: the last pattern of it or its folders decides."""
    paths = [path, *map(str, PurePosixPath(path).parents)]
    sent = True
    for pattern in PATTERNS:
        glob = re.escape(pattern.removeprefix("!"))
        regex = glob.replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(regex, part) for part in paths):
            sent = pattern.startswith("!")
    return sent


def test_the_builder_gets_what_the_build_reads():
    sent = {path.name for path in ROOT.iterdir() if goes_in(path.name)}
    assert sent == {*PACKAGES, *BESIDE}
    licences = settings("metadata")["license_files"].split()
    templates = (ROOT / "reports" / "templates").rglob("*.html")
    read = [*licences, *(path.relative_to(ROOT).as_posix() for path in templates)]
    assert [path for path in read if not goes_in(path)] == []


@pytest.mark.parametrize("path", KEPT_OUT)
def test_nothing_else_gets_into_an_image(path: str):
    assert not goes_in(path)


def test_what_is_copied_is_there():
    stages = [rest.partition(" AS ")[2] for name, rest in instructions() if name == "FROM"]
    copies = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    assert len(copies) == 2
    for words in copies:
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
        else:
            assert all((ROOT / source).exists() for source in words[:-1])


def test_the_command_and_the_port_are_those_of_the_package():
    said = dict(instructions())
    scripts = settings("options.entry_points")["console_scripts"]
    assert said["ENTRYPOINT"] == '["modalgrid"]'
    assert "modalgrid = pipeline.__main__:main" in scripts
    assert said["EXPOSE"] == str(serve.parser().get_default("port"))


def test_python_and_extras_are_those_of_setup():
    assert f"Programming Language :: Python :: {arguments()['PYTHON']}" in (
        settings("metadata")["classifiers"]
    )
    assert set(arguments()["EXTRAS"].split(",")) <= settings("options.extras_require").keys()


def docker_lines() -> list[list[str]]:
    """Command lines of docker on the pages and in the Dockerfile's own comments."""
    commented = re.findall(r"^#     (docker .*)$", DOCKERFILE, flags=re.MULTILINE)
    paged = [snippet.text for snippet in command_lines() if snippet.text.startswith("docker ")]
    return [shlex.split(line) for line in dict.fromkeys([*commented, *paged])]


def built() -> list[list[str]]:
    return [words for words in docker_lines() if words[1] == "build"]


def started() -> list[list[str]]:
    return [words for words in docker_lines() if words[1] == "run"]


@pytest.mark.parametrize("words", built(), ids=" ".join)
def test_images_are_built_with_arguments_that_there_are(words: list[str]):
    given = dict(value.split("=") for option, value in pairwise(words) if option == "--build-arg")
    assert given.keys() <= arguments().keys()
    extras = given.get("EXTRAS", "demo").split(",")
    assert set(extras) <= settings("options.extras_require").keys()


@pytest.mark.parametrize("words", started(), ids=" ".join)
def test_containers_are_told_what_the_command_understands(
    words: list[str], capsys: pytest.CaptureFixture[str]
):
    image = next(position for position, word in enumerate(words)
                 if word.partition(":")[0] == "modalgrid")
    command = COMMANDS[words[image + 1]]
    parser = import_module(command.module).parser()
    try:
        parser.parse_args([*command.first, *words[image + 2 :]])
    except SystemExit:
        pytest.fail(capsys.readouterr().err)
