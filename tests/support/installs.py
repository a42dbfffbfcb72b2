"""What is installed: of which distributions an install consists, and one that has only the base."""

from __future__ import annotations

import os
import re
import subprocess
import venv
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

OURS = "modalgrid"


@dataclass(frozen=True)
class Stated:
    """A requirement of setup.cfg, and the comment above it: what it is for."""

    requirement: Requirement
    purpose: str


def _setup() -> ConfigParser:
    setup = ConfigParser(comment_prefixes=(), inline_comment_prefixes=None, delimiters=("=",),
                         strict=False, allow_no_value=True, interpolation=None)
    setup.read_string(re.sub(r"(?m)^# .*\n", "", (ROOT / "setup.cfg").read_text(encoding="utf-8")))
    return setup


def _stated(block: str) -> Iterator[Stated]:
    comment: list[str] = []
    is_comment = True
    for line in filter(None, map(str.strip, block.splitlines())):
        if line.startswith("#"):
            comment = [*(comment if is_comment else []), line.removeprefix("#").strip()]
        else:
            yield Stated(Requirement(line), " ".join(comment))
        is_comment = line.startswith("#")


def base() -> list[Stated]:
    """What setup.cfg says the base install needs."""
    return list(_stated(_setup()["options"]["install_requires"]))


def extras() -> dict[str, list[Stated]]:
    """What setup.cfg says that each extra brings, those it takes from other extras left out."""
    return {name: [stated for stated in _stated(block) if stated.requirement.name != OURS]
            for name, block in _setup()["options.extras_require"].items()}


def listed() -> dict[str, list[Stated]]:
    """What setup.cfg lists for the base and for each extra."""
    return {"base": base(), **extras()}


def brought(extra: str) -> set[str]:
    """Names of the distributions that an extra brings, through other extras too."""
    names: set[str] = set()
    for stated in _stated(_setup()["options.extras_require"][extra]):
        requirement = stated.requirement
        ours = map(brought, requirement.extras) if requirement.name == OURS else [
            {canonicalize_name(requirement.name)}]
        names.update(*ours)
    return names


def installed_with(requirements: Iterable[Requirement]) -> dict[str, Distribution]:
    """Installed distributions that these need here, transitively, with themselves, by name.

    Raises
    ------
    PackageNotFoundError
        For one of the given that is not installed.
    """
    waiting, known = [(requirement, True) for requirement in requirements], set[tuple[str, str]]()
    distributions: dict[str, Distribution] = {}
    while waiting:
        requirement, is_given = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in known:
                continue
            known.add((name, extra))
            try:
                distributions[name] = distribution(requirement.name)
            except PackageNotFoundError:
                if is_given:
                    raise
                continue
            needs = map(Requirement, distributions[name].requires or ())
            waiting += [(need, False) for need in needs
                        if need.marker is None or need.marker.evaluate({"extra": extra})]
    return dict(sorted(distributions.items()))


@dataclass(frozen=True)
class BaseInstall:
    """An environment in which nothing is installed but what the base install brings.

    It is made of links to what is installed here, which takes no network and no time.
    """

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> BaseInstall:
        """Make it in a new folder."""
        venv.create(folder, symlinks=True)
        site = next((folder / "lib").glob("python*/site-packages"))
        distributions = installed_with(stated.requirement for stated in base())
        for entry in chain.from_iterable(map(_entries, distributions.values())):
            if not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
        return cls(folder)

    def run(
        self, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python` with arguments and these sources in a folder; warnings are no errors."""
        variables = {**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT)}
        for name in ("PYTHONHOME", "VIRTUAL_ENV"):
            variables.pop(name, None)
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments], cwd=folder, env=variables,
            capture_output=True, text=True, check=False,
        )


def _entries(installed: Distribution) -> set[Path]:
    """Files and folders of a distribution at the top of its site-packages."""
    tops = {file.parts[0] for file in installed.files or ()}
    return {Path(str(installed.locate_file(top))).resolve()
            for top in tops - {"..", "__pycache__"} if not top.endswith(".pth")}


def uninstall(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let modules seem not to be installed."""
    monkeypatch.setattr(
        "features.machine.extras.find_spec",
        lambda module: None if module in modules else find_spec(module),
    )
