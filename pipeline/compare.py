"""`python -m pipeline.compare RUN RUN ...`: methods across data sets, from finished runs."""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pyarrow.parquet as pq

from features.machine.nearest import nearest
from pipeline.command.browser import add_open, show
from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.config.reading.origin import LOCK, ORIGIN, fingerprint_in
from pipeline.engine.progress import say
from pipeline.metrics import METRICS
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.results.origin import changed
from pipeline.store.keys import key_of
from reports.analysis.many_data_sets import AcrossFacts, LeftOut, across
from reports.page.many_pages import pages
from reports.wording import count, first_lines, for_terminal, listed


class CompareError(Exception):
    """Runs that cannot be compared; one line for each reason."""


@dataclass(frozen=True)
class Run:
    """A run's name, its data's fingerprint, and the mean score of each method over its folds.

    `incomplete` are methods without a score on every fold. `rows` is a hash of the rows that were
    tested, by id and label, whichever of their columns the run looked at; empty where the run does
    not tell them.
    """

    name: str
    fingerprint: str
    scores: dict[str, float]
    incomplete: frozenset[str] = frozenset()
    rows: str = ""


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
    say(for_terminal(f"{facts.headline}\n{facts.advice}"))
    if facts.left_out:
        say(for_terminal("\n".join([
            f"{count(len(facts.left_out), 'method')} not compared:",
            *first_lines([f"  {left.method}: {left.reason}" for left in facts.left_out],
                         where="compare.md"),
        ])))
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
    runs = [
        replace(read_run(folder, metric, by, greater), name=name)
        for folder, name in zip(folders, names_of(folders), strict=True)
    ]
    if len(runs) < 2:
        raise CompareError("one run is one data set: a comparison across data sets needs two at "
                           "least (for one, see its own report)")
    _check_different(runs)
    shared = [name for name in runs[0].scores if all(name in run.scores for run in runs)]
    if len(shared) < 2:
        lists = "\n".join(f"  {run.name}: {', '.join(run.scores) or 'none'}" for run in runs)
        raise CompareError(
            f"the runs share {count(len(shared), 'method')} with a score on every fold, and two "
            "are needed"
            + (" (--by fusion compares fusions whatever their encoders)" if by == "cell" else "")
            + f":\n{lists}"
        )
    scores = np.array([[run.scores[name] for name in shared] for run in runs])
    facts = across(shared, [run.name for run in runs], scores, greater)
    return replace(facts, left_out=tuple(_left_out(runs, shared)))


def names_of(folders: Sequence[Path]) -> list[str]:
    """The names of runs: those of their folders, with what stands above where several have one."""
    paths = [
        (folder.resolve() if folder.name in ("", "..") else folder.absolute()).parts
        for folder in folders
    ]
    names = []
    for path in paths:
        others = [other for other in paths if other != path]
        depth = 1
        while any(other[-depth:] == path[-depth:] for other in others):
            depth += 1
        names.append("/".join(path[-depth:]))
    return names


def _check_different(runs: Sequence[Run]) -> None:
    """CompareError where two hold the same data, or the same rows of it."""
    for other, run in itertools.combinations(runs, 2):
        if run.fingerprint == other.fingerprint or run.rows == other.rows != "":
            raise CompareError(
                f"{other.name} and {run.name} hold the same data: data sets must be different. To "
                "compare what these two compared on one, list all of it in one grid and run that: "
                "what is computed already is taken from the store, and its report compares all on "
                "the same folds"
            )


def _left_out(runs: Sequence[Run], shared: Sequence[str]) -> Iterator[LeftOut]:
    """Methods of some run that are not compared, each with the runs that lack it."""
    methods = [(*run.scores, *sorted(run.incomplete)) for run in runs]
    names = dict.fromkeys(itertools.chain.from_iterable(methods))
    for name in (name for name in names if name not in shared):
        known = zip(runs, methods, strict=True)
        missing = [run.name for run, of_run in known if name not in of_run]
        lacking = [run.name for run in runs if name in run.incomplete]
        parts = [f"not in {listed(missing)}"] if missing else []
        parts += [f"without a score on every fold of {listed(lacking)}"] if lacking else []
        yield LeftOut(name, "; ".join(parts))


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
    if not rows:
        raise CompareError(
            f"{folder} has no score of any fold: its run reached none, or all failed; go on with it"
        )
    missing = {"cell", "fusion", "repeat", "fold", metric} - set(rows[0])
    if missing:
        raise CompareError(f"{folder / 'scores.csv'} has no column {', '.join(sorted(missing))}")
    fingerprint = fingerprint_in(lock) or str(folder)
    try:
        means, incomplete = _means(rows, metric, by, greater_is_better)
    except ValueError as error:
        raise CompareError(f"{folder / 'scores.csv'} is damaged: {error}") from error
    return Run(folder.name, fingerprint, means, incomplete, _rows(folder, rows[0]["cell"]))


def _rows(folder: Path, cell: str) -> str:
    """Hash of the ids and labels of the rows that a cell was tested on; see Run."""
    path = folder / "predictions.parquet"
    if not path.is_file():
        return ""
    try:
        table = pq.read_table(path, columns=["id", "label"], filters=[("cell", "=", cell)])
    except (OSError, ValueError) as error:
        raise CompareError(f"{folder} holds a damaged file: {error}") from error
    tested = set(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))
    return key_of({"rows": sorted(tested)}) if tested else ""


def _means(
    rows: Iterable[dict[str, str]], metric: str, by: str, greater_is_better: bool
) -> tuple[dict[str, float], frozenset[str]]:
    """Means of the methods with a score on every fold, and the names of the others."""
    cells: dict[str, list[float]] = defaultdict(list)
    fusions, folds = {}, set()
    for row in rows:
        folds.add((row["repeat"], row["fold"]))
        fusions[row["cell"]] = row["fusion"]
        if row[metric]:
            cells[row["cell"]].append(float(row[metric]))
    means = {name: fmean(values) for name, values in cells.items() if len(values) == len(folds)}
    if by == "cell":
        return means, frozenset(fusions).difference(means)
    best: dict[str, float] = {}
    for name, mean in means.items():
        before = best.get(fusions[name], mean)
        best[fusions[name]] = max(before, mean) if greater_is_better else min(before, mean)
    return best, frozenset(fusions.values()).difference(best)


if __name__ == "__main__":
    sys.exit(main())
