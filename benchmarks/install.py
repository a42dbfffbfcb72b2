"""How much disk an install takes: the base, and what each extra adds to it.

    python -m benchmarks.install

Adds up the files of the packages that are installed here, which should be all extras
(`pip install -e ".[all]"`); one that is not is named. What several extras bring counts for each
of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from features.machine.extras import EXTRAS
from tests.support.installs import base, brought, installed_with

MEGABYTE = 2**20


def megabytes(distributions: Iterable[Distribution]) -> float:
    """Size of the files of distributions, without what Python compiles them to."""
    return sum(sum(_sizes(known)) for known in distributions) / MEGABYTE


def _sizes(known: Distribution) -> Iterator[int]:
    for file in known.files or ():
        path = Path(str(known.locate_file(file)))
        if file.suffix != ".pyc" and path.is_file():
            yield path.stat().st_size


def line(name: str, installed: Mapping[str, Distribution]) -> str:
    """A row of the table."""
    gpu = {known for known in installed if known.startswith(("nvidia-", "cuda-", "triton"))}
    others = [installed[known] for known in installed.keys() - gpu]
    libraries = [installed[known] for known in gpu]
    return (f"| {name} | {len(installed)} | {megabytes(others):,.0f} MB | "
            f"{megabytes(libraries):,.0f} MB |")


def line_of(extra: str, of_base: Mapping[str, Distribution]) -> str:
    """The row of an extra, without what the base has; which package is missing, if one is."""
    try:
        with_extra = installed_with(map(Requirement, sorted(brought(extra))))
    except PackageNotFoundError as error:
        return f"| + `{extra}` | {error.name} is not installed | | |"
    more = {name: known for name, known in with_extra.items() if name not in of_base}
    return line(f"+ `{extra}`", more)


def main() -> None:
    """Print the table."""
    of_base = installed_with(stated.requirement for stated in base())
    print("| install | packages | size | and GPU libraries |\n|---|--:|--:|--:|")
    print(line("base", of_base))
    for extra in (*EXTRAS, "all"):
        print(line_of(extra, of_base))
    print(f"torch {distribution('torch').version}")


if __name__ == "__main__":
    main()
