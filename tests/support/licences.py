"""The table of licences in docs/licences.md, from setup.cfg and what is installed.

`python -m tests.support.licences` writes the file. It needs an environment with all extras.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.installs import Stated, base, installed_with, listed
from tests.support.paths import ROOT

FILE = ROOT / "docs" / "licences.md"
BEGIN, END = "<!-- tables: python -m tests.support.licences -->", "<!-- end of the tables -->"
DEVELOPERS = ("test", "lint", "sbom", "docs")  # extras for those who work on the code
# Licences that require a work that is combined with theirs to be under the same terms.
COPYLEFT = re.compile(r"\b(?:A|L)?GPL|GENERAL PUBLIC LICEN[CS]E|CC-BY-SA|\bEUPL|\bSSPL", re.I)
# Weak copyleft, of files alone: changed files of theirs stay under it, and nothing else does.
WEAK = re.compile(r"\bMPL|MOZILLA PUBLIC LICENSE|\bEPL\b", re.I)
# How texts of licences begin, where the metadata says nothing.
TEXTS = {
    "AGPL": re.compile(r"GNU AFFERO GENERAL PUBLIC LICENSE", re.I),
    "LGPL": re.compile(r"GNU (?:LESSER|LIBRARY) GENERAL PUBLIC LICENSE", re.I),
    "GPL": re.compile(r"GNU GENERAL PUBLIC LICENSE", re.I),
    "MIT": re.compile(r"MIT License|Permission is hereby granted, free of charge", re.I),
    "Apache-2.0": re.compile(r"Apache (?:Software )?License", re.I),
    "BSD": re.compile(r"Redistribution and use in source and binary forms", re.I),
}
# What classifiers and short forms are called as SPDX has it.
SPDX = {
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "2-clause BSD License": "BSD-2-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Other/Proprietary License": "proprietary (NVIDIA)",
    "LicenseRef-NVIDIA-Proprietary": "proprietary (NVIDIA)",
    "NVIDIA Proprietary Software": "proprietary (NVIDIA)",
}
UNSTATED = "not stated"
LONGEST = 60  # characters of a licence's name; more are its text


@cache
def licence(installed: Distribution) -> str:
    """What a distribution says of its licence: its metadata, else the text that comes with it."""
    metadata = installed.metadata
    named = [name.rsplit(" :: ")[-1] for name in metadata.get_all("Classifier") or ()
             if name.startswith("License :: ")]
    field = (metadata.get("License") or "").strip()
    candidates = [metadata.get("License-Expression") or "", field, " OR ".join(map(_spdx, named))]
    for candidate in candidates:
        is_name = 0 < len(candidate) <= LONGEST * 3 and "\n" not in candidate
        if is_name and candidate not in ("UNKNOWN", "OSI Approved", "Dual License"):
            return _spdx(candidate)
    return _by_text([field, *_texts(installed)])


def _spdx(name: str) -> str:
    return SPDX.get(name, name)


def _texts(installed: Distribution) -> Iterator[str]:
    """Texts of the licences that come with a distribution."""
    for file in installed.files or ():
        is_text = re.search(r"(?i)(?:^|/)(?:licen[cs]e|copying)[^/]*$", str(file))
        if ".dist-info/" in str(file) and is_text:
            yield Path(str(installed.locate_file(file))).read_text("utf-8", errors="replace")


def _by_text(texts: Iterable[str]) -> str:
    for text in texts:
        for name, pattern in TEXTS.items():
            if pattern.search(text[:2000]):
                return name
    return UNSTATED


def copyleft(installed: Mapping[str, Distribution]) -> list[str]:
    """Names of those whose licence is copyleft, or not stated, with the licence."""
    licences = {name: licence(known) for name, known in installed.items()}
    return [f"{name}: {says}" for name, says in licences.items()
            if COPYLEFT.search(says) or says == UNSTATED]


def installed_base() -> dict[str, Distribution]:
    """Distributions that the base install brings here, transitively."""
    return installed_with(stated.requirement for stated in base())


def tables() -> str:
    """Both tables as Markdown: what setup.cfg names, and what that brings with it."""
    return "\n".join([
        "### What setup.cfg names", "",
        "| package | versions | licence | what for | installed with |", "|---|---|---|---|---|",
        *_named(), "",
        "### What these bring with them", "",
        "| package | licence | installed with |", "|---|---|---|",
        *_brought(),
    ])


def _stated() -> dict[str, list[tuple[str, Stated]]]:
    """By distribution: who asks for it, the base or an extra, and how."""
    by_name: dict[str, list[tuple[str, Stated]]] = {}
    for part, requirements in listed().items():
        for stated in requirements:
            by_name.setdefault(canonicalize_name(stated.requirement.name), []).append(
                (part, stated))
    return by_name


def _named() -> Iterator[str]:
    for name, asked in _stated().items():
        _, first = asked[0]
        parts = ", ".join(part for part, _ in asked)
        installed = installed_with([Requirement(first.requirement.name)])[name]
        versions = str(first.requirement.specifier)
        purpose = first.purpose.rstrip(",:;").replace("|", r"\|")
        yield f"| {name} | {versions} | {licence(installed)} | {purpose} | {parts} |"


def _brought() -> Iterator[str]:
    """A line for each package that comes with the base or an extra for users, and by which."""
    named, parts = set(_stated()), dict[str, list[str]]()
    known: dict[str, Distribution] = {}
    for part, requirements in listed().items():
        if part in DEVELOPERS:
            continue
        brought = installed_with(stated.requirement for stated in requirements)
        known |= brought
        for name in brought.keys() - named:
            parts.setdefault(name, []).append(part)
    for name in sorted(parts):
        smallest = [part for part in ("base", "networks") if part in parts[name]]
        yield f"| {name} | {licence(known[name])} | {', '.join(smallest[:1] or parts[name])} |"


def names_in(text: str) -> set[str]:
    """The packages of a text's tables that are written here."""
    return set(re.findall(r"(?m)^\| ([a-z0-9-]+) \|", text.partition(BEGIN)[2])) - {"package"}


def written(text: str) -> str:
    """The text with its tables written anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write the tables of docs/licences.md."""
    FILE.write_text(written(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    problems = copyleft(installed_base())
    print("\n".join([f"{FILE.relative_to(ROOT)}: written", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
