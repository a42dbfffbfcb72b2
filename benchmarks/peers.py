"""Whether other libraries get more than this one on the very same folds, features and labels.

Run by hand, at each release: ``python -m benchmarks.peers GRID|RUN ... [--store FOLDER]
[--folds N] [--peers NAME ...] [--encoders PATTERN] [--autogluon PYTHON] [--lightgbm PYTHON]
[--time-limit SECONDS] [--presets NAME] [--components N] [--threads N]
[--time-ours]``.

A grid file, or the folder of a finished run, gives the folds and the results, which come from the
store or go there. Ours is choosing among all cells on the inner folds of every outer one, which is
what somebody gets who takes the winner; the cell that is best on the outer folds, which is known
only afterwards, is shown beside it. The peers get the pooled features of all encoders that any cell
uses (of those whose names match --encoders), learned from the training rows of the outer fold
alone, their labels, and which inner fold holds which row out, so that groups stay whole in whatever
they choose. They never see labels of test rows. Each runs in a process of its own, by
`benchmarks.peer_worker`:

- logistic: StandardScaler and LogisticRegressionCV over all columns
- svm: RBF kernel on blocks of equal weight, C and gamma by nested search, calibrated by a
  temperature (scikit-learn 1.8 or later)
- hist_boosting: HistGradientBoostingClassifier on principal components of each block, stopped early
- lightgbm: LGBMClassifier on the same, stopped early; an optional package, here or in another
  environment
- autogluon: TabularPredictor on the same, bagged over the inner folds

AutoGluon and LightGBM are no dependencies. Give them environments of their own, with versions that
you name, and pass the interpreters::

    python -m venv ag && ag/bin/pip install "autogluon.tabular[lightgbm,catboost,xgboost]==1.6.*"
    python -m benchmarks.peers grid.yaml --autogluon ag/bin/python

Differences are to ours on the same folds, with the intervals of the report (corrected resampled t,
95 %, not corrected for the number of peers, which is in their favour). A peer is clearly better
where the whole interval is. Answers are kept in --work under all that decides them: a command that
was broken off goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks import peer_worker
from features.machine.cores import cores
from models.kept import RECENT
from pipeline.config.grid import GridError
from pipeline.config.parse import read_grid
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.engine.processes import Processes
from pipeline.engine.progress import progress
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encode_lost, run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import Plan, make_plan
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.record import scored_record
from pipeline.results.scores import Scores
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.tasks.fit import _result
from pipeline.tasks.views import aligned
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError
from reports.analysis.procedures import procedures
from reports.analysis.ranking import Ranking, rank_cells
from reports.analysis.standing import Standing, spread
from reports.analysis.statistics import Interval
from reports.fold_record import CellRecord, FoldRecord
from reports.record import MetricRecord, ScoredRecord

Array = NDArray[Any]
WORKER = Path(peer_worker.__file__)
PROBLEMS = (BundleError, GridError, SourceError, DatasetError)


class Peer(NamedTuple):
    """A peer, the interpreter of its environment, and the versions of what it is made of."""

    name: str
    python: str
    versions: Mapping[str, str]


class Asked(NamedTuple):
    """What a peer may take, as the command line has it; see `peer_worker.Handed`."""

    time_limit: float
    presets: str
    components: int
    threads: int


@dataclass(frozen=True, eq=False)
class Side:
    """A peer, or ours, on all folds.

    Parameters
    ----------
    standing : its records, as those of a cell
    processor_seconds : of a fold, the mean of those measured; None where none was
    about : versions, and what was chosen
    """

    standing: Standing
    processor_seconds: float | None
    about: str


@dataclass(frozen=True, eq=False)
class Compared:
    """A data set's run with its plan, and what came of its cells.

    Parameters
    ----------
    record : of all cells, with scores on inner folds
    """

    comparison: Comparison
    plan: Plan
    record: ScoredRecord

    @property
    def ranking(self) -> Ranking:
        """The cells in order."""
        return rank_cells(self.record)

    @property
    def metrics(self) -> list[MetricRecord]:
        """The run's metric, macro F1 and log loss, each once."""
        names = dict.fromkeys([self.record.metric, "f1_macro", "log_loss"])
        by_name = {metric.name: metric for metric in self.record.metrics}
        return [by_name[name] for name in names]


def compared(path: Path, address: str | None, folds: int | None, jobs: int) -> Compared:
    """All cells of a grid, or of a finished run, on their first folds; fitted or from the store."""
    if path.is_dir():
        run = FinishedRun.at(path)
        grid, address = run.grid, address or run.store
    else:
        grid = read_grid(path)
    if grid.task != "classification":
        raise SystemExit(f"{path}: peers classify; give a grid with task: classification")
    whole = load(grid, store_at(address or DEFAULT_STORE), Processes(jobs), progress)
    comparison = whole.of(whole.cells, whole.folds[:folds], progress)
    plan = make_plan(comparison)
    made = Scores(plan, run_plan(plan, comparison), comparison)
    if made.failures:
        raise SystemExit(made.failures[0].traceback)
    encode_lost(plan.units, comparison)
    scored = with_inner_scores(scored_record(comparison, made, ""), made, plan, comparison)
    return Compared(comparison, plan, scored.record)


def blocks_of(plan: Plan, fold: Fold, comparison: Comparison, pattern: str) -> dict[str, Any]:
    """Pooled features (n, d) of all rows, dense or CSR, by the encoder's name, pictures first.

    Those that learn have learned from the fold's training rows alone.
    """
    blocks: dict[str, Any] = {}
    numbers = fold.repeat, fold.fold
    for unit in plan.units:
        if (unit.fold.repeat, unit.fold.fold) != numbers:
            continue
        for forms in unit.features.values():
            features = forms[0]
            name = f"{features.modality}: {features.component.label}"
            if name in blocks or not re.search(pattern, name):
                continue
            index = comparison.dataset.modalities[features.modality].index
            block = features.load(comparison.store, index)
            if block is None:
                raise SystemExit(f"features of {features.component.label} are not in the store")
            if not block.is_sequence and block.encoder is None:
                blocks[name] = block.array()
    return dict(sorted(blocks.items()))


def inner_numbers(fold: Fold) -> Array:
    """Number of the inner fold that holds out each training row (m,); -1 where none does."""
    held_out = np.full(len(fold.train), -1)
    for number, (_, test) in enumerate(fold.inner):
        held_out[np.searchsorted(fold.train, test)] = number
    return held_out


def handed_over(blocks: Sequence[Any], fold: Fold, labels: Array) -> dict[str, Array]:
    """Arrays of ``fold.npz``; see `peer_worker`."""
    arrays = {"y": labels[fold.train], "held_out": inner_numbers(fold)}
    for number, block in enumerate(blocks):
        for part, rows in (("train", fold.train), ("test", fold.test)):
            arrays |= _named(f"{part}_{number}", block[rows])
    return arrays


def _named(name: str, rows: Any) -> dict[str, Array]:
    """Dense rows, or the parts of sparse ones, by name."""
    if not sparse.issparse(rows):
        return {name: np.ascontiguousarray(rows)}
    return {
        f"{name}_data": rows.data,
        f"{name}_indices": rows.indices,
        f"{name}_indptr": rows.indptr,
        f"{name}_shape": np.array(rows.shape),
    }


def answered(
    peer: Peer, arrays: Mapping[str, Array], asked: Mapping[str, Any], work: Path
) -> tuple[Array, Array, dict[str, Any]]:
    """Probabilities (t, k), their classes (k,) and facts of a peer's answer, kept in `work`."""
    folder = work / _key(peer, arrays, asked)
    if not (folder / "answer.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "fold.npz", allow_pickle=False, **arrays)
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        ended = subprocess.run(
            [peer.python, str(WORKER), peer.name, str(folder)],
            check=False, capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(asked["threads"])},
        )
        (folder / "fold.npz").unlink()
        if ended.returncode:
            raise SystemExit(f"{peer.name} failed in {peer.python}:\n{ended.stderr.strip()}")
    with np.load(folder / "answer.npz") as answer:
        probabilities, classes = answer["probabilities"], answer["classes"]
    return probabilities, classes, json.loads((folder / "answer.json").read_text(encoding="utf-8"))


def _key(peer: Peer, arrays: Mapping[str, Array], asked: Mapping[str, Any]) -> str:
    """Of everything that decides a peer's answer."""
    kind = peer_worker.PEERS[peer.name]
    settings = {name: asked[name] for name in kind.asked}
    about = [peer.name, kind.version, dict(peer.versions), settings]
    decided = hashlib.sha256(json.dumps(about).encode())
    for name, array in arrays.items():
        decided.update(f"{name} {array.dtype.str} {array.shape}".encode())
        decided.update(np.ascontiguousarray(array).tobytes())
    return f"{peer.name}-{decided.hexdigest()[:16]}"


def peer_side(given: Compared, peer: Peer, asked: Asked, pattern: str, work: Path) -> Side:
    """A peer on every fold."""
    comparison, facts = given.comparison, []
    labels, classes = comparison.dataset.labels, len(comparison.dataset.classes)
    folds = {}
    for fold in comparison.folds:
        blocks = blocks_of(given.plan, fold, comparison, pattern)
        if not blocks:
            raise SystemExit(f"--encoders: no pooled features are called like {pattern!r}")
        arrays = handed_over(list(blocks.values()), fold, labels)
        settings = {**asked._asdict(), "seed": comparison.seed, "metric": given.record.metric}
        raw, columns, about = answered(peer, arrays, settings, work)
        if len(raw) != len(fold.test) or not np.isfinite(raw).all():
            raise SystemExit(f"{peer.name} gave no finite probabilities for {fold.in_words}")
        probabilities = aligned(raw, columns, classes)
        folds[fold.repeat, fold.fold] = _record(peer.name, fold, probabilities, labels, about)
        facts.append(about)
        print(f"{peer.name}, {fold.in_words}: {about['processor_seconds']:.1f} s of the processor "
              f"({about['seconds']:.0f} s), {about['chosen']}", file=sys.stderr, flush=True)
    scores = spread(entry.scores[given.record.metric] for entry in folds.values())
    cell = CellRecord(peer.name, None, None, "peer", None)
    versions = ", ".join(f"{name} {number}" for name, number in peer.versions.items())
    return Side(
        Standing(cell, "baseline", folds, scores, True, None),
        fmean(fact["processor_seconds"] for fact in facts),
        versions,
    )


def _record(
    name: str, fold: Fold, probabilities: Array, labels: Array, about: Mapping[str, Any]
) -> FoldRecord:
    truth = labels[fold.test]
    return FoldRecord(
        cell=name, repeat=fold.repeat, fold=fold.fold, n_train=len(fold.train), rows=fold.test,
        probabilities=probabilities, parameters={},
        scores={metric: METRICS[metric](truth, probabilities) for metric in METRICS},
        fit_seconds=about["seconds"], predict_seconds=0.0, reused=False,
    )


def our_sides(given: Compared, *, timed: bool = False) -> list[Side]:
    """Choosing among all cells on inner folds, and the cell that is best on the outer ones."""
    choosing, best = procedures(given.record).get("all"), given.ranking.best()
    if choosing is None or best is None:
        raise SystemExit(f"{given.record.name}: no cell could be chosen on inner folds")
    favourite, times = choosing.favourite
    about = f"{favourite} on {times} of {len(choosing.standing.folds)} folds"
    seconds = our_seconds(given) if timed else None
    return [Side(choosing.standing, seconds, about), Side(best, None, best.cell.name)]


def our_seconds(given: Compared) -> float:
    """Processor seconds of fitting all cells anew on the first fold, in this process."""
    comparison = given.comparison
    first = comparison.folds[0]
    units = [
        unit for unit in given.plan.units
        if (unit.fold.repeat, unit.fold.fold) == (first.repeat, first.fold)
    ]
    for unit in units:
        unit.estimator.warm_up()
    RECENT.clear()
    begun = time.process_time()
    for unit in units:
        _result(unit, comparison.context, comparison.store)
    return time.process_time() - begun


def difference(ranking: Ranking, side: Side, ours: Side, metric: MetricRecord) -> Interval:
    """A side's score less ours, over the same folds, with the report's interval."""
    made = replace(ranking, metric=metric).compare(side.standing, ours.standing)
    if made is None:
        raise SystemExit(f"{metric.name} is defined on no fold")
    gain = made.interval
    if metric.greater_is_better or gain.low is None or gain.high is None:
        return gain if metric.greater_is_better else replace(gain, mean=-gain.mean)
    return replace(gain, mean=-gain.mean, low=-gain.high, high=-gain.low)


def interval_text(given: Interval) -> str:
    """Mean and interval."""
    if given.low is None or given.high is None:
        return f"{given.mean:+.3f}"
    return f"{given.mean:+.3f} ({given.low:+.3f} to {given.high:+.3f})"


def table(given: Compared, ours: Sequence[Side], peers: Sequence[Side]) -> Iterator[str]:
    """Lines of a table, in Markdown."""
    names = [metric.name.replace("_", " ") for metric in given.metrics]
    titles = [f"{name} | less ours" for name in names]
    yield f"| {given.record.name} | {' | '.join(titles)} | processor s a fold | what |"
    yield f"|:--|{'--:|' * (2 * len(titles) + 1)}:--|"
    first = ours[0]
    labels = ["ours, chosen inside", "ours, best afterwards"]
    labels += [side.standing.cell.name for side in peers]
    for label, side in zip(labels, [*ours, *peers], strict=True):
        parts = []
        for metric in given.metrics:
            folds = side.standing.folds.values()
            parts.append(f"{fmean(entry.scores[metric.name] for entry in folds):.3f}")
            gain = difference(given.ranking, side, first, metric)
            parts.append("" if side is first else interval_text(gain))
        seconds = side.processor_seconds
        parts += ["" if seconds is None else f"{seconds:.1f}", side.about]
        yield f"| {label} | {' | '.join(parts)} |"


def verdict(given: Compared, ours: Side, peers: Sequence[Side]) -> str:
    """One line: which peers are clearly better in which metric, or how near the nearest comes."""
    clearly, nearest = [], []
    for metric in given.metrics:
        sign = 1 if metric.greater_is_better else -1
        gains = {side: difference(given.ranking, side, ours, metric) for side in peers}
        clearly += [
            f"{side.standing.cell.name} in {metric.name} by {interval_text(gain)}"
            for side, gain in gains.items()
            if gain.direction == sign
        ]
        best = max(gains, key=lambda side: sign * gains[side].mean)
        nearest.append(f"{metric.name} {best.standing.cell.name} {interval_text(gains[best])}")
    if clearly:
        return f"{given.record.name}: clearly better than our choice: {'; '.join(clearly)}."
    return (
        f"{given.record.name}: none of {len(peers)} peers is clearly better than our choice; the "
        f"nearest: {'; '.join(nearest)}."
    )


def peers_of(options: argparse.Namespace) -> list[Peer]:
    """The peers that are asked for, each with the versions that its interpreter has."""
    pythons = {"lightgbm": options.lightgbm, "autogluon": options.autogluon}
    names = options.peers or [
        name
        for name in peer_worker.PEERS
        if pythons.get(name) or (name != "autogluon" and find_spec(_module(name)) is not None)
    ]
    return [_peer(name, pythons.get(name) or sys.executable) for name in names]


def _module(name: str) -> str:
    """What a peer without an interpreter of its own imports."""
    return "lightgbm" if name == "lightgbm" else "sklearn"


def _peer(name: str, python: str) -> Peer:
    try:
        ended = subprocess.run(
            [python, str(WORKER), name], check=False, capture_output=True, text=True
        )
    except OSError as error:
        raise SystemExit(f"{name}: {python} is no Python interpreter ({error})") from error
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        raise SystemExit(f"{name} does not run in {python}: {last[0]}")
    return Peer(name, python, json.loads(ended.stdout))


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=Path, nargs="+", help="grid files, or folders of runs")
    parser.add_argument("--store", help=f"default: the run's, or {DEFAULT_STORE}")
    parser.add_argument("--folds", type=_positive, help="how many outer folds (default: all)")
    parser.add_argument("--peers", nargs="+", choices=list(peer_worker.PEERS),
                        help="default: all that are installed or have an interpreter")
    parser.add_argument("--encoders", default="", help="regular expression on encoders' names")
    parser.add_argument("--autogluon", metavar="PYTHON", help="interpreter that has AutoGluon")
    parser.add_argument("--lightgbm", metavar="PYTHON", help="interpreter that has LightGBM")
    parser.add_argument("--time-limit", type=_positive, default=60,
                        help="seconds that AutoGluon may take for a fold (default: %(default)s)")
    parser.add_argument("--presets", default="medium_quality",
                        help="of AutoGluon (default: %(default)s)")
    parser.add_argument("--components", type=_positive, default=100,
                        help="principal components of a block for AutoGluon and boosting "
                        "(default: %(default)s)")
    parser.add_argument("--threads", type=_positive, default=cores(),
                        help="of a peer (default: the cores, %(default)s); with other work on the "
                        "machine 1, or they wait for each other")
    parser.add_argument("--jobs", type=_positive, default=2,
                        help="processes that fit what the store lacks (default: %(default)s)")
    parser.add_argument("--time-ours", action="store_true",
                        help="fit all cells anew on the first fold, for processor seconds")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"),
                        help="where answers are kept (default: %(default)s)")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 at least")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a peer is clearly better."""
    options = options_of(arguments)
    peers = peers_of(options)
    asked = Asked(options.time_limit, options.presets, options.components, options.threads)
    verdicts = []
    for path in options.runs:
        try:
            given = compared(path, options.store, options.folds, options.jobs)
        except PROBLEMS as error:
            raise SystemExit(str(error)) from error
        ours = our_sides(given, timed=options.time_ours)
        sides = [peer_side(given, peer, asked, options.encoders, options.work) for peer in peers]
        verdicts.append(verdict(given, ours[0], sides))
        print("\n".join(table(given, ours, sides)), end="\n\n", flush=True)
    print("\n".join(verdicts))
    return int(any("clearly better than our choice:" in line for line in verdicts))


if __name__ == "__main__":
    sys.exit(main())
