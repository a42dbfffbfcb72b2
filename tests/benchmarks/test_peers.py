"""Peers get the run's folds and features, nothing of the test rows, and are judged on them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import peer_worker, peers
from benchmarks.peers import Asked, Compared, Peer, Side, blocks_of, compared, handed_over
from tests.support import tiny

ASKED = Asked(time_limit=5, presets="medium_quality", components=4, threads=1)
SETTINGS = {**ASKED._asdict(), "seed": 3, "metric": "f1_macro"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def given(folder) -> Compared:
    """A finished run of a tiny grid, with groups of two rows that stay together."""
    with pytest.MonkeyPatch.context() as patch:
        tiny.register(patch)
        tiny.without_report(patch)
        grid = tiny.write_table(folder)
        paired = [
            [*row, f"pair {number // 2}"] for number, row in enumerate(tiny.read_rows(folder))
        ]
        tiny.write_rows(folder, paired, "pair")
        text = grid.read_text().replace("inner: 2}", "inner: 2, group: pair}")
        text = text.replace("text: [bow]", "text: [bow, tfidf]")
        text = text.replace("id: sku}", "id: sku, group: pair}")
        tiny.write_grid(folder, text)
        assert tiny.run_grid(folder) == 0
        return compared(folder / "out", str(folder / "store"), 2, 1)


@pytest.fixture
def handed(given, tmp_path) -> peer_worker.Handed:
    """The first fold as a peer reads it."""
    fold = given.comparison.folds[0]
    blocks = blocks_of(given.plan, fold, given.comparison, "")
    arrays = handed_over(list(blocks.values()), fold, given.comparison.dataset.labels)
    np.savez(tmp_path / "fold.npz", **arrays)
    (tmp_path / "asked.json").write_text(json.dumps(SETTINGS))
    return peer_worker._handed_over(tmp_path)


def test_a_peer_reads_the_features_of_the_runs_rows_and_no_label_of_a_test_row(given, handed):
    fold, labels = given.comparison.folds[0], given.comparison.dataset.labels
    blocks = blocks_of(given.plan, fold, given.comparison, "")
    assert [name.partition("(")[0] for name in blocks] == [
        "image: mean_colour", "text: bow", "text: tfidf",
    ]
    assert [sparse.issparse(block) for block in handed.train] == [False, True, True]
    for block, train, test in zip(blocks.values(), handed.train, handed.test, strict=True):
        for rows, part in ((fold.train, train), (fold.test, test)):
            difference = np.abs(block[rows] - part)
            assert difference.shape == part.shape
            assert difference.max() == 0
    np.testing.assert_array_equal(handed.y, labels[fold.train])
    arrays = handed_over(list(blocks.values()), fold, labels)
    assert not [name for name, array in arrays.items() if len(array) == len(fold.test)
                and not name.startswith("test_")]


def test_inner_folds_are_those_of_the_run_and_keep_groups_whole(given, handed):
    fold, groups = given.comparison.folds[0], given.comparison.dataset.groups
    splits = list(handed.inner.split())
    assert len(splits) == 2
    for (train, test), (inner_train, inner_test) in zip(splits, fold.inner, strict=True):
        np.testing.assert_array_equal(fold.train[train], inner_train)
        np.testing.assert_array_equal(fold.train[test], inner_test)
        assert not set(groups[inner_train]) & set(groups[inner_test])


def test_words_that_only_test_rows_have_are_no_columns(given):
    widths = set()
    for fold in given.comparison.folds:
        (bow,) = blocks_of(given.plan, fold, given.comparison, "bow").values()
        assert np.asarray(bow[fold.train].sum(axis=0)).min() > 0
        widths.add(bow.shape)
    assert widths


def test_the_hand_over_to_another_process_changes_no_prediction(given, folder, monkeypatch):
    peer = peers._peer("logistic", peers.sys.executable)
    side = peers.peer_side(given, peer, ASKED, "", folder / "work")
    for fold in given.comparison.folds:
        blocks = blocks_of(given.plan, fold, given.comparison, "").values()
        X = np.hstack([peer_worker._as_dense(block) for block in blocks])
        y, inner = given.comparison.dataset.labels, np.array(peers.inner_numbers(fold))
        search = LogisticRegressionCV(
            Cs=peer_worker.STRENGTHS, cv=peer_worker.Handed(
                [], [], y[fold.train], inner, **SETTINGS
            ).inner, scoring="neg_log_loss", max_iter=2000, l1_ratios=(0.0,),
            use_legacy_attributes=False,
        )
        model = make_pipeline(StandardScaler(), search).fit(X[fold.train], y[fold.train])
        entry = side.standing.folds[fold.repeat, fold.fold]
        np.testing.assert_allclose(
            entry.probabilities, model.predict_proba(X[fold.test]), atol=1e-6
        )
        np.testing.assert_array_equal(entry.rows, fold.test)
    assert "scikit-learn" in side.about
    assert side.processor_seconds > 0
    assert not list((folder / "work").rglob("fold.npz"))

    def refused(*_, **__):
        raise AssertionError("an answer that is kept was asked for again")

    monkeypatch.setattr(subprocess, "run", refused)
    again = peers.peer_side(given, peer, ASKED, "", folder / "work")
    assert again.standing.score == side.standing.score
    with pytest.raises(AssertionError):
        peers.peer_side(given, peer, ASKED, "bow", folder / "work")


@pytest.mark.parametrize("name", ["svm", "hist_boosting"])
def test_a_peer_answers_with_probabilities_of_the_classes_that_it_saw(name: str, handed):
    answer = peer_worker.PEERS[name].answer(handed)
    np.testing.assert_array_equal(answer.classes, np.unique(handed.y))
    assert answer.probabilities.shape == (handed.test[0].shape[0], len(answer.classes))
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-6)
    assert answer.chosen


def test_components_are_learned_from_training_rows_and_no_more_than_asked_for(handed):
    train, test = peer_worker._components(handed)
    assert train.shape == (len(handed.y), 2 + 4 + 4)
    alone = handed._replace(test=[block[:1] for block in handed.test])
    np.testing.assert_allclose(peer_worker._components(alone)[1], test[:1], atol=1e-5)


def test_an_answer_is_kept_under_what_decides_it_and_nothing_else():
    arrays = {"y": np.array([0, 1])}
    keys = {}
    for name in peer_worker.PEERS:
        peer = Peer(name, "python", {})
        keys[name] = [
            peers._key(peer, arrays, {**SETTINGS, **changed})
            for changed in ({}, {"time_limit": 9}, {"components": 9}, {"seed": 9})
        ]
    distinct = {name: len(set(of_peer)) for name, of_peer in keys.items()}
    assert distinct == {
        "logistic": 2, "svm": 2, "hist_boosting": 3, "lightgbm": 3, "autogluon": 4,
    }


def _peer_that_gains(given: Compared, ours: Side, gain: float) -> Side:
    """Ours, with scores that are higher by about so much on every fold."""
    folds = {
        key: replace(entry, scores={
            name: score + (-gain if name == "log_loss" else gain) * (1 + 0.01 * entry.fold)
            for name, score in entry.scores.items()
        })
        for key, entry in ours.standing.folds.items()
    }
    cell = replace(ours.standing.cell, name="made up")
    return Side(replace(ours.standing, folds=folds, cell=cell), 1.0, "nothing")


def test_the_verdict_names_who_is_clearly_better_and_else_who_is_nearest(given):
    ours, best = peers.our_sides(given, timed=True)
    assert ours.processor_seconds > 0
    better, worse = (_peer_that_gains(given, ours, gain) for gain in (0.1, -0.1))
    assert peers.verdict(given, ours, [worse, better]).startswith(
        "tiny: clearly better than our choice: made up in balanced_accuracy by +0.10"
    )
    line = peers.verdict(given, ours, [worse])
    assert line.startswith("tiny: none of 1 peers is clearly better than our choice")
    assert "log_loss made up +0.1" in line
    lines = list(peers.table(given, [ours, best], [worse]))
    assert lines[0] == (
        "| tiny | balanced accuracy | less ours | f1 macro | less ours | log loss | less ours "
        "| processor s a fold | what |"
    )
    assert lines[2].startswith("| ours, chosen inside | ")
    assert {line.count("|") for line in lines} == {10}
    assert " -0.10" in lines[4]


def test_a_peer_that_is_not_there_is_refused_before_any_work(tmp_path):
    with pytest.raises(SystemExit, match=r"logistic: .*nowhere is no Python interpreter"):
        peers._peer("logistic", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match=r"autogluon does not run in .* is not installed"):
        peers._peer("autogluon", peers.sys.executable)


def test_a_peer_that_fails_says_so_and_leaves_no_answer(tmp_path):
    peer = Peer("logistic", peers.sys.executable, {})
    arrays = {"y": np.array([0, 0]), "held_out": np.array([0, 1]),
              "train_0": np.zeros((2, 1)), "test_0": np.zeros((1, 1))}
    with pytest.raises(SystemExit, match=r"(?s)logistic failed in .*class"):
        peers.answered(peer, arrays, SETTINGS, tmp_path)
    assert not list(tmp_path.rglob("answer*"))
