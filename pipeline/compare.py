"""`python -m pipeline.compare RUN RUN ...`: methods across data sets, from finished runs."""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from features.machine.nearest import nearest
from pipeline.command.browser import add_open, show
from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.config.reading.origin import LOCK, ORIGIN
from pipeline.metrics import METRICS
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.results.origin import changed
from reports.analysis.many_data_sets import AcrossFacts, across
from reports.page.many_pages import pages


class CompareError(Exception):
    """Runs that cannot be compared; one line for each reason."""


@dataclass(frozen=True)
class Run:
    """A run's name, its data's fingerprint, and the mean score of each method over its folds."""

    name: str
    fingerprint: str
    scores: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write compare.html, compare.md, compare.svg. For exit codes see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _write(options), (CompareError,))


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("compare"), description=(
        "Compare methods across data sets, by finished runs."))
    parser.add_argument(
        "runs", type=utf8_path, nargs="+", help="folders of finished runs, one data set each"
    )
    parser.add_argument(
        "--metric", default="balanced_accuracy", help="score to compare by (default: %(default)s)"
    )
    parser.add_argument(
        "--by",
        choices=("cell", "fusion"),
        default="cell",
        help="cell: same encoders, fusion and classifier; fusion: the best cell of each fusion",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=utf8_path,
        default=Path("runs") / "compare",
        help="folder (default: %(default)s)",
    )
    add_open(parser)
    add_plugins(parser)
    return parser


def _write(options: argparse.Namespace) -> int:
    take_plugins(options)
    facts = compare(options.runs, options.metric, options.by)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in pages(facts, options.metric).items():
        (options.out / name).write_text(content, encoding="utf-8")
    print(f"comparison: {options.out / 'compare.html'}")
    if options.open:
        show(options.out / "compare.html")
    return 0


def compare(folders: Sequence[Path], metric: str, by: str = "cell") -> AcrossFacts:
    """Methods that all runs share, over their data sets.

    Raises
    ------
    CompareError
        For an unknown metric, a folder that holds no run, fewer than two data sets, two runs of the
        same data, or fewer than two methods in common.
    """
    if metric not in METRICS:
        raise CompareError(f"unknown metric '{metric}'; {nearest(metric, METRICS)}")
    greater = METRICS[metric].greater_is_better
    runs = [read_run(folder, metric, by, greater) for folder in folders]
    if len(runs) < 2:
        raise CompareError("one run is one data set: a comparison across data sets needs two at "
                           "least (for one, see its own report)")
    for other, run in itertools.combinations(runs, 2):
        if run.fingerprint == other.fingerprint:
            raise CompareError(
                f"{other.name} and {run.name} hold the same data: data sets must be different"
            )
    shared = [name for name in runs[0].scores if all(name in run.scores for run in runs)]
    if len(shared) < 2:
        lists = "\n".join(f"  {run.name}: {', '.join(run.scores) or 'none'}" for run in runs)
        raise CompareError(
            f"the runs share {len(shared)} methods with a score on every fold, and two are needed"
            + (" (--by fusion compares fusions whatever their encoders)" if by == "cell" else "")
            + f":\n{lists}"
        )
    scores = np.array([[run.scores[name] for name in shared] for run in runs])
    return across(shared, [run.name for run in runs], scores, greater)


def read_run(folder: Path, metric: str, by: str, greater_is_better: bool) -> Run:
    """Mean scores of the methods of a run that have one on every fold."""
    try:
        if (folder / ORIGIN).is_file() and (names := changed(folder)):
            raise CompareError(f"{folder}: its {names[0]} was changed since the run")
        with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        lock = (folder / LOCK).read_text(encoding="utf-8")
    except OSError as error:
        raise CompareError(
            f"{folder} holds no finished run: {error.strerror or error} ({error.filename})"
        ) from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise CompareError(f"{folder} holds a damaged file: {error}") from error
    missing = {"cell", "fusion", "repeat", "fold", metric} - set(rows[0] if rows else ())
    if missing:
        raise CompareError(f"{folder / 'scores.csv'} has no column {', '.join(sorted(missing))}")
    fingerprint = next(
        (line for line in lock.splitlines() if line.startswith("# data fingerprint")), str(folder)
    )
    try:
        means = _means(rows, metric, by, greater_is_better)
    except ValueError as error:
        raise CompareError(f"{folder / 'scores.csv'} is damaged: {error}") from error
    return Run(folder.name, fingerprint, means)


def _means(
    rows: Iterable[dict[str, str]], metric: str, by: str, greater_is_better: bool
) -> dict[str, float]:
    cells: dict[str, list[float]] = defaultdict(list)
    fusions, folds = {}, set()
    for row in rows:
        folds.add((row["repeat"], row["fold"]))
        fusions[row["cell"]] = row["fusion"]
        if row[metric]:
            cells[row["cell"]].append(float(row[metric]))
    means = {name: fmean(values) for name, values in cells.items() if len(values) == len(folds)}
    if by == "cell":
        return means
    best: dict[str, float] = {}
    for name, mean in means.items():
        before = best.get(fusions[name], mean)
        best[fusions[name]] = max(before, mean) if greater_is_better else min(before, mean)
    return best


if __name__ == "__main__":
    sys.exit(main())
