"""What benchmarks.peers hands a fold over to: another library's classifier, perhaps elsewhere.

It is started by benchmarks.peers as ``PYTHON peer_worker.py PEER FOLDER``, with the interpreter of
whatever environment has the peer's library: it imports nothing of this project. FOLDER holds
``fold.npz`` and ``asked.json``; ``answer.npz`` and ``answer.json`` are written into it. Without a
folder it only prints the versions of the peer's packages.

fold.npz has, for each block of features number 0, 1, ..., ``train_0`` float32 (m, d) and
``test_0`` (t, d), or of sparse ones (CSR) ``train_0_data``, ``_indices``, ``_indptr`` and
``_shape``; ``y`` int (m,), labels; ``held_out`` int (m,), the inner fold that holds a training row
out, -1 where none does. There are no labels of test rows. answer.npz has ``classes`` (k,) and
``probabilities`` (t, k).

A peer chooses whatever it chooses on the inner folds that the run used, so that groups stay whole
there, too; features that were learned were learned from all m training rows.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]
LARGEST = 2**31  # bytes of features that are made dense
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
SVM_STRENGTHS, GAMMAS = (1.0, 3.0, 10.0, 30.0, 100.0), (0.015625, 0.0625, 0.25, 1.0)
# metrics of predicted classes, which scikit-learn and AutoGluon call the same
OF_CLASSES = {"accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro"}
ROUNDS, PATIENCE = 1000, 30  # of boosting at most, and without a lower loss


class Handed(NamedTuple):
    """A fold as it was handed over, and what is asked of the peer.

    Parameters
    ----------
    train, test : blocks of features (m, d) and (t, d), dense or CSR
    y : int (m,), labels
    held_out : int (m,), number of the inner fold that a row is held out in, or -1
    seed : of whatever is drawn at random
    metric : of the run, by its name
    time_limit : seconds, for a peer that takes as long as it may
    presets : of AutoGluon
    components : principal components of a block at most, for a peer that is given these
    threads : of AutoGluon and LightGBM; others take as many as the environment says
    """

    train: list[Any]
    test: list[Any]
    y: Array
    held_out: Array
    seed: int
    metric: str
    time_limit: float
    presets: str
    components: int
    threads: int

    @property
    def inner(self) -> Any:
        """The inner folds, as scikit-learn takes them."""
        from sklearn.model_selection import PredefinedSplit

        return PredefinedSplit(self.held_out)

    def dense(self) -> tuple[Array, Array]:
        """All columns side by side: (m, d) and (t, d)."""
        return _side_by_side(self.train), _side_by_side(self.test)


class Answer(NamedTuple):
    """Probabilities (t, k), the classes (k,) of their columns, and what was chosen, in words."""

    probabilities: Array
    classes: Array
    chosen: str


def logistic(handed: Handed) -> Answer:
    """StandardScaler over all columns, LogisticRegressionCV: what many start with."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    search = LogisticRegressionCV(
        Cs=STRENGTHS, cv=handed.inner, scoring="neg_log_loss", max_iter=2000, l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )
    train, test = handed.dense()
    model = make_pipeline(StandardScaler(), search).fit(train, handed.y)
    return Answer(model.predict_proba(test), search.classes_, f"C {float(search.C_):g}")


def svm(handed: Handed) -> Answer:
    """An RBF support vector machine on blocks of equal weight, calibrated on the inner folds.

    C and gamma are chosen by the run's metric (accuracy, where that is not one of classes). The
    kernel of all rows is computed once for each gamma.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.metrics.pairwise import euclidean_distances
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    train, test = _equal_blocks(handed)
    squares = euclidean_distances(train, squared=True)
    search = GridSearchCV(
        SVC(kernel="precomputed"), {"C": SVM_STRENGTHS}, cv=handed.inner, refit=False,
        scoring=handed.metric if handed.metric in OF_CLASSES else "accuracy",
    )
    best: dict[float, tuple[float, float]] = {}  # mean score and C of each gamma
    for gamma in GAMMAS:
        search.fit(np.exp(-gamma * squares), handed.y)
        best[gamma] = float(search.best_score_), float(search.best_params_["C"])
    gamma = max(best, key=lambda value: best[value][0])
    C = best[gamma][1]
    machine = SVC(kernel="precomputed", C=C)
    model = CalibratedClassifierCV(
        machine, method="temperature", cv=handed.inner, ensemble=False
    )
    model.fit(np.exp(-gamma * squares), handed.y)
    asked = np.exp(-gamma * euclidean_distances(test, train, squared=True))
    return Answer(model.predict_proba(asked), model.classes_, f"C {C:g}, gamma {gamma:g}")


def hist_boosting(handed: Handed) -> Answer:
    """HistGradientBoostingClassifier on components, stopped on the first inner fold.

    And fitted again on all training rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, test = _components(handed)
    held = handed.held_out == 0
    early = HistGradientBoostingClassifier(
        max_iter=ROUNDS, early_stopping=True, n_iter_no_change=PATIENCE, random_state=handed.seed
    ).fit(train[~held], handed.y[~held], X_val=train[held], y_val=handed.y[held])
    rounds = int(np.argmax(early.validation_score_[1:])) + 1
    model = HistGradientBoostingClassifier(
        max_iter=rounds, early_stopping=False, random_state=handed.seed
    ).fit(train, handed.y)
    return Answer(model.predict_proba(test), model.classes_, f"{rounds} rounds")


def lightgbm(handed: Handed) -> Answer:
    """LGBMClassifier on components, stopped on the first inner fold, and fitted again on all."""
    from lightgbm import LGBMClassifier, early_stopping

    train, test = _components(handed)
    held = handed.held_out == 0
    # LightGBM takes all cores whatever the environment says, and its threads wait for each other
    # by spinning: on a busy machine nine times the processor's time
    settings = {"verbosity": -1, "random_state": handed.seed, "num_threads": handed.threads}
    early = LGBMClassifier(n_estimators=ROUNDS, **settings)
    early.fit(
        train[~held], handed.y[~held], eval_set=[(train[held], handed.y[held])],
        callbacks=[early_stopping(PATIENCE, verbose=False)],
    )
    rounds = max(1, int(early.best_iteration_))
    model = LGBMClassifier(n_estimators=rounds, **settings).fit(train, handed.y)
    return Answer(model.predict_proba(test), model.classes_, f"{rounds} rounds")


def autogluon(handed: Handed) -> Answer:
    """TabularPredictor on principal components of each block, bagged over the inner folds."""
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    train, test = map(pd.DataFrame, _components(handed))
    train.columns = test.columns = [f"component {number}" for number in range(train.shape[1])]
    train["label"], bagged = handed.y, bool((handed.held_out >= 0).all())
    tuning = None
    if bagged:
        train["inner fold"] = handed.held_out
    else:  # one inner fold: its rows are what models are stopped and weighted on
        tuning = train[handed.held_out >= 0]
        train = train[handed.held_out < 0]
    folder = Path.cwd() / "autogluon"
    predictor = TabularPredictor(
        label="label",
        eval_metric=handed.metric if handed.metric in OF_CLASSES else "log_loss",
        groups="inner fold" if bagged else None,
        path=str(folder),
        verbosity=1,
    ).fit(
        train, tuning_data=tuning, time_limit=handed.time_limit, presets=handed.presets,
        num_cpus=handed.threads,
    )
    answered = predictor.predict_proba(test)
    board = predictor.leaderboard()
    shutil.rmtree(folder, ignore_errors=True)
    best = predictor.model_best
    return Answer(answered.to_numpy(), answered.columns.to_numpy(), f"{best} of {len(board)}")


class Kind(NamedTuple):
    """A peer.

    Parameters
    ----------
    answer : how it answers
    version : of that, raised when its answers change
    packages : what it is made of
    asked : names of the settings that decide its answers
    """

    answer: Callable[[Handed], Answer]
    version: int
    packages: tuple[str, ...]
    asked: tuple[str, ...] = ("seed", "metric")


PEERS = {
    "logistic": Kind(logistic, 1, ("scikit-learn",)),
    "svm": Kind(svm, 1, ("scikit-learn",)),
    "hist_boosting": Kind(hist_boosting, 2, ("scikit-learn",), ("seed", "components")),
    "lightgbm": Kind(lightgbm, 2, ("lightgbm",), ("threads", "seed", "components")),
    "autogluon": Kind(
        autogluon,
        1,
        ("autogluon.tabular", "lightgbm", "catboost", "xgboost", "xgboost-cpu", "torch"),
        ("time_limit", "presets", "components", "threads", "seed", "metric"),
    ),
}


def _side_by_side(blocks: list[Any]) -> Array:
    size = sum(4 * block.shape[0] * block.shape[1] for block in blocks)
    if size > LARGEST:
        raise ValueError(
            f"features of {size / 2**30:.1f} GiB as dense columns are more than the "
            f"{LARGEST / 2**30:.0f} GiB that a peer gets: choose fewer with --encoders"
        )
    return np.hstack([_as_dense(block) for block in blocks])


def _as_dense(block: Any) -> Array:
    return block.toarray() if sparse.issparse(block) else block


def _equal_blocks(handed: Handed) -> tuple[Array, Array]:
    """Each block centred and scaled to an equal share of a mean squared norm of 1."""
    train, test = [], []
    for learned, asked in zip(handed.train, handed.test, strict=True):
        rows, others = _as_dense(learned), _as_dense(asked)
        mean = rows.mean(axis=0)
        scale = np.sqrt(len(rows) / max(np.square(rows - mean).sum(), 1e-12) / len(handed.train))
        train.append((rows - mean) * scale)
        test.append((others - mean) * scale)
    return _side_by_side(train), _side_by_side(test)


def _components(handed: Handed) -> tuple[Array, Array]:
    """Principal components of each block, learned from the training rows: (m, c) and (t, c)."""
    from sklearn.decomposition import PCA, TruncatedSVD

    train, test = [], []
    for learned, asked in zip(handed.train, handed.test, strict=True):
        most = min(handed.components, min(learned.shape) - 1)
        if most < 1:
            continue
        kind = TruncatedSVD if sparse.issparse(learned) else PCA
        reduction = kind(most, random_state=handed.seed).fit(learned)
        train.append(reduction.transform(learned))
        test.append(reduction.transform(asked))
    return np.hstack(train), np.hstack(test)


def versions_of(peer: str) -> dict[str, str]:
    """Versions of the peer's packages that are here. Raises ModuleNotFoundError without it."""
    names = PEERS[peer].packages
    known = {}
    for name in names:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    if names[0] not in known:
        raise ModuleNotFoundError(f"{names[0]} is not installed in {sys.prefix}")
    return {**known, "python": sys.version.split()[0]}


def _handed_over(folder: Path) -> Handed:
    with np.load(folder / "fold.npz") as arrays:
        blocks = {
            part: [_block(arrays, f"{part}_{number}") for number in _numbers(arrays, part)]
            for part in ("train", "test")
        }
        asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
        return Handed(y=arrays["y"], held_out=arrays["held_out"], **blocks, **asked)


def _numbers(arrays: Any, part: str) -> list[int]:
    """Numbers of the blocks that are there."""
    names = {name for name in arrays.files if name.startswith(part)}
    numbers = []
    for number in count():
        if not names & {f"{part}_{number}", f"{part}_{number}_data"}:
            return numbers
        numbers.append(number)
    return numbers


def _block(arrays: Any, name: str) -> Any:
    if name in arrays.files:
        return arrays[name]
    parts = (arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(tuple(parts), shape=tuple(arrays[f"{name}_shape"]))


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def answer_fold() -> None:
    """Answer what was handed over, or say the versions."""
    peer, *folders = sys.argv[1:]
    if not folders:
        print(json.dumps(versions_of(peer)))
        return
    folder = Path(folders[0]).resolve()
    handed = _handed_over(folder)
    os.chdir(folder)
    warnings.simplefilter("ignore")
    begun, processor = time.perf_counter(), _processor_seconds()
    answer = PEERS[peer].answer(handed)
    about = {
        "chosen": answer.chosen,
        "seconds": time.perf_counter() - begun,
        "processor_seconds": _processor_seconds() - processor,
    }
    np.savez("answer.npz", probabilities=answer.probabilities, classes=answer.classes)
    Path("answer.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    answer_fold()
