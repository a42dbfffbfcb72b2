"""All benchmarks in a short form, on one page: machine, day, commands and what they print.

Run by hand: ``python -m benchmarks [NAME ...] [--out FILE]``. Each runs in a process of its own,
one after another. What they print, both sides in one run, takes the place of the last part of
benchmarks/RESULTS.md ("Short forms"); the figures before it, of the long forms, stay. A short form
shows that a benchmark works and in which direction it points; its figures vary more than those of
the long form, whose command is the same without the options given here. It exits with 1 where a
benchmark failed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
HEADING = "## Short forms"
LIMIT = 900  # seconds, beyond which a short form is none

SHORT: Mapping[str, Sequence[str]] = {
    "answer.simulate": ("--data-sets", "10"),
    "dropout": ("--rows", "300", "--seeds", "2"),
    "encode": ("--models", "efficientnet_lite0", "--pictures", "64", "--rounds", "3"),
    "encoders": ("--names", "cnn_pyramid", "handcrafted", "--items", "64", "--rounds", "3"),
    "folds": (),
    "grid": ("--rows", "800", "--cells", "2", "--repeats", "1"),
    "growth": ("--rows", "300", "--repeats", "1"),
    "install": (),
    "memory": ("--rows", "500", "4000"),
    "products": ("--rows", "4000", "--seconds", "0.3"),
    "ranks": ("--queries", "2000", "--candidates", "1000"),
    "report": ("--cells", "20", "--rows", "2000", "--folds", "5"),
    "ridge": ("--quick",),
    "scale": ("--rows", "2000", "--jobs", "1"),
    "search": ("--items", "20000", "--questions", "10"),
    "softmax": ("--quick",),
    "split": ("--rows", "400"),
    "stacked": ("--rows", "300", "--repeats", "1"),
    "word2vec": ("--articles", "60"),
}
LEFT_OUT: Mapping[str, str] = {
    "answer.half_width": "a whole grid for every size of the data",
    "attention": "a grid and its store",
    "gpu": "a GPU",
    "captions": "photographs beside the repository",
    "halves": "a grid and its store",
    "german": "the extra `use`, and photographs beside the repository",
    "kept": "a grid and its store",
    "networks": "a grid and its store",
    "peers": "a grid and its store, and what is not installed with this project",
    "predict": "a bundle and items",
    "recommend": "an index",
    "retrieval": "photographs beside the repository",
    "sentences": "texts beside the repository",
    "serve": "a bundle and items",
    "several": "a grid and its store",
    "softmax_gpu": "a GPU",
    "start": "the store of a finished run",
    "train": "a GPU",
}


class Printed(NamedTuple):
    """What a benchmark printed, how long it took, and whether it ended well."""

    text: str
    seconds: float
    succeeded: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SHORT)}")
    parser.add_argument("-o", "--out", type=Path, default=FOLDER / "RESULTS.md")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(SHORT))
    if unknown:
        parser.error(f"no short form of {', '.join(unknown)}; there are {', '.join(SHORT)}")
    results = {name: run(name) for name in SHORT if name in (options.names or SHORT)}
    before = options.out.read_text(encoding="utf-8") if options.out.exists() else ""
    lines = "\n".join(page(results, purpose_of))
    options.out.write_text(f"{earlier(before)}{lines}\n", encoding="utf-8")
    print(f"written: {options.out}")
    return int(not all(printed.succeeded for printed in results.values()))


def command_of(name: str) -> list[str]:
    """The arguments after the interpreter."""
    return ["-m", f"benchmarks.{name}", *SHORT[name]]


def run(name: str) -> Printed:
    """Run a benchmark's short form; what it prints is shown as it is kept."""
    print(f"python {' '.join(command_of(name))}", flush=True)
    begun = time.perf_counter()
    try:
        ended = subprocess.run(
            [sys.executable, *command_of(name)],
            check=False, capture_output=True, text=True, timeout=LIMIT, cwd=FOLDER.parent,
        )
    except subprocess.TimeoutExpired:
        return Printed(f"not finished after {LIMIT} seconds", LIMIT, succeeded=False)
    seconds = time.perf_counter() - begun
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        return Printed(f"exit code {ended.returncode}: {last[0]}", seconds, succeeded=False)
    print(ended.stdout, flush=True)
    printed = ended.stdout.strip().replace(tempfile.gettempdir(), "TMP")
    return Printed(printed, seconds, succeeded=True)


def purpose_of(name: str) -> str:
    """The first line of a benchmark's docstring, which is not imported for it."""
    source = FOLDER.joinpath(*name.split(".")).with_suffix(".py")
    first, _, _ = source.read_text(encoding="utf-8").partition("\n")
    return first.strip('"')


def earlier(text: str) -> str:
    """What stands before the short forms."""
    before, _, _ = text.partition(f"{HEADING}\n")
    return f"{before.rstrip()}\n\n" if before.strip() else ""


def page(results: Mapping[str, Printed], purpose: Callable[[str], str]) -> Iterator[str]:
    """Lines of the last part of the page, in Markdown."""
    yield HEADING
    yield ""
    names = [] if len(results) == len(SHORT) else list(results)
    yield " ".join(["    python -m benchmarks", *names])
    yield ""
    yield f"{date.today().isoformat()}, {machine()}."
    for name, printed in results.items():
        yield ""
        yield f"### {name}: {purpose(name)[0].lower()}{purpose(name)[1:]}"
        yield ""
        yield f"    python {' '.join(command_of(name))}"
        yield ""
        yield f"{printed.seconds:.0f} seconds{'' if printed.succeeded else ', and it failed'}."
        yield ""
        yield "```text"
        yield printed.text
        yield "```"
    yield ""
    yield "Not among them, for what they need: " + "; ".join(
        f"`{name}` ({reason})" for name, reason in LEFT_OUT.items()
    ) + "."


def machine() -> str:
    """Cores, processor, load of other work, and the versions that matter most."""
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn", "torch")
    )
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), load of the last "
        f"minute at the end {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, "
        f"{libraries}"
    )


if __name__ == "__main__":
    sys.exit(main())
