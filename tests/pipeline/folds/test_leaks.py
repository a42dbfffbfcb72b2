"""No scored row reaches what is learned: vocabularies, vectors, scalers, training features."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from features.encoders.bag_of_words import BagOfWords
from features.encoders.tfidf import Tfidf
from features.encoders.word2vec import Word2Vec
from models.early.pooled import PooledFusion
from models.preparation.scaling import BlockScaler
from pipeline import flow, run
from pipeline.engine.task import Done
from pipeline.store.folder import FolderStore
from pipeline.tasks import fit as fitting
from pipeline.tasks.encoding.encode import encode_tasks
from pipeline.tasks.encoding.features import with_stages
from pipeline.tasks.encoding.shard import assembled, shard_tasks
from tests.support.samples import png, small_samples
from tests.support.tiny import (
    GRID,
    read_rows,
    register,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

LEARNING = {
    "bow": ("bow", BagOfWords),
    "tfidf": ("{tfidf: {ngrams: [1, 1]}}", Tfidf),
    "word2vec": ("{word2vec: {vectors: train, size: 6, epochs: 2}}", Word2Vec),
}
TEXTS = small_samples().texts


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    return tmp_path


@pytest.fixture
def plans(monkeypatch):
    """(plan, dataset) of every run."""
    made, make = [], flow.make_plan

    def spy(comparison):
        comparison.context.put(comparison.store)
        made.append((make(comparison), comparison.dataset))
        return made[-1][0]

    monkeypatch.setattr(flow, "make_plan", spy)
    monkeypatch.setattr(run, "make_plan", spy)  # of --plan
    return made


def splits(folder):
    """(train, test, ((inner train, scored), ...)) rows of each outer fold, from folds.npz."""
    saved = np.load(folder / "out" / "folds.npz")
    return [
        (
            np.flatnonzero(outer == 1),
            np.flatnonzero(outer == 2),
            tuple(
                (np.flatnonzero((outer == 1) & (inner != number)), np.flatnonzero(inner == number))
                for number in range(inner.max() + 1)
            ),
        )
        for outer, inner in zip(saved["outer"], saved["inner"], strict=True)
    ]


def training_sets(folder):
    """Rows of every outer and inner training set."""
    sets = []
    for train, _, inner in splits(folder):
        sets += [train, *(inside for inside, _ in inner)]
    return sets


def counts(texts, vocabulary_of):
    """Word counts of texts (m, words) over the sorted vocabulary of others, by plain counting."""
    words = sorted(set(" ".join(vocabulary_of).split()))
    return np.array(
        [[text.split().count(word) for word in words] for text in texts], dtype=np.float32
    )


def weighted(texts, vocabulary_of):
    """TF-IDF by its formula, document frequencies from `vocabulary_of`."""
    frequency = (counts(vocabulary_of, vocabulary_of) > 0).sum(axis=0)
    rows = counts(texts, vocabulary_of) * (np.log((1 + len(vocabulary_of)) / (1 + frequency)) + 1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def dense(array):
    return array.toarray() if sparse.issparse(array) else np.asarray(array)


def texts_of(rows):
    return [TEXTS[row] for row in rows]


def use(folder, encoder):
    write_grid(folder, GRID.replace("[bow]", f"[{LEARNING[encoder][0]}]"))


# --- vocabularies, idf, vectors


@pytest.mark.parametrize("encoder", LEARNING)
def test_every_fit_of_a_run_sees_one_training_set_and_each_is_seen_once(
    folder, plans, monkeypatch, encoder
):
    cls, seen = LEARNING[encoder][1], []
    fit, fit_features = cls.fit, cls.fit_features
    monkeypatch.setattr(
        cls, "fit", lambda self, samples: seen.append(samples) or fit(self, samples)
    )
    monkeypatch.setattr(cls, "fit_features", lambda self, counts, *labels: (
        seen.append(counts.index) or fit_features(self, counts, *labels)))
    use(folder, encoder)
    assert run_grid(folder) == 0
    expected = [tuple(sorted(texts_of(rows))) for rows in training_sets(folder)]
    assert len(expected) == 3 * (1 + 2)
    distinct = plans[0][1].modalities["text"].samples

    def texts(fitted):
        """What was fitted: texts, or their positions."""
        return sorted(item if isinstance(item, str) else distinct[item] for item in fitted)

    assert Counter(tuple(texts(fitted)) for fitted in seen) == Counter(expected)


@pytest.mark.parametrize(("encoder", "formula"), [("bow", counts), ("tfidf", weighted)])
def test_stored_features_have_columns_and_weights_of_training_words_only(
    folder, plans, encoder, formula
):
    use(folder, encoder)
    run_grid(folder)
    plan, dataset = plans[0]
    learned = [features for features in plan.features.values() if features.train is not None]
    assert len(learned) == 3 * (1 + 2)
    for features in learned:
        block = features.load(FolderStore(folder / "store"), dataset.modalities["text"].index)
        np.testing.assert_allclose(
            dense(block.array()), formula(TEXTS, texts_of(features.train)), rtol=1e-5
        )


def test_stored_word_vectors_know_no_word_of_unseen_rows(folder, plans):
    use(folder, "word2vec")
    run_grid(folder)
    plan, dataset = plans[0]
    learned = [features for features in plan.features.values() if features.train is not None]
    assert len(learned) == 3 * (1 + 2)
    for features in learned:
        store = FolderStore(folder / "store")
        rows = features.load(store, dataset.modalities["text"].index).array()
        for label in range(3):
            same = dataset.labels == label
            inside = same & np.isin(np.arange(36), features.train)
            # Rows of a class differ in their own word only: unseen ones must be alike to the last
            # known word.
            assert np.ptp(rows[same & ~inside], axis=0).max() < 1e-6
            assert np.ptp(rows[inside], axis=0).max() > 1e-3


# --- inner folds, scalers


@pytest.fixture
def views_seen(monkeypatch):
    """(unit, position of the split, part, text block, labels) of all that fusions are given.

    Position 0 is the outer split, 1 the first inner one, and so on.
    """
    seen, units = [], []
    result, predict_many = fitting._result, PooledFusion.predict_many
    fit, predict = PooledFusion.fit, PooledFusion.predict_proba

    def note(position, part, views, y=None):
        if units:  # the second phase, which predicts altered rows, has tests of its own
            seen.append((units[-1], position, part, views.text, y))

    def spied_predict_many(self, fits, settings):
        for number, inner_fit in enumerate(fits, start=1):
            note(number, "train", inner_fit.train, inner_fit.y)
            note(number, "scored", inner_fit.test)
        return predict_many(self, fits, settings)

    def spied_result(unit, *rest):
        units.append(unit)
        try:
            return result(unit, *rest)
        finally:
            units.pop()

    monkeypatch.setattr(fitting, "_result", spied_result)
    monkeypatch.setattr(PooledFusion, "predict_many", spied_predict_many)
    monkeypatch.setattr(PooledFusion, "fit",
                        lambda self, views, y: note(0, "train", views, y) or fit(self, views, y))
    monkeypatch.setattr(PooledFusion, "predict_proba",
                        lambda self, views: note(0, "scored", views) or predict(self, views))
    return seen


def test_each_split_is_fitted_on_features_learned_from_its_own_training_rows(
    folder, views_seen, plans
):
    write_grid(folder, re.sub("fusion: .*", "fusion: [text_only, concat]", GRID))
    labels = np.unique(small_samples().labels, return_inverse=True)[1]
    assert run_grid(folder) == 0
    parts = Counter()
    by_fold = splits(folder)
    for unit, position, part, block, y in views_seen:
        train, test, inner = by_fold[unit.fold.fold]
        inside, scored = ((train, test), *inner)[position]
        rows = inside if part == "train" else scored
        np.testing.assert_array_equal(
            dense(block.array()), counts(texts_of(rows), texts_of(inside))
        )
        # Unseen rows of a class have equal counts, their own words being unknown; which rows they
        # are, the index says.
        np.testing.assert_array_equal(block.index, plans[0][1].modalities["text"].index[rows])
        if y is not None:
            np.testing.assert_array_equal(y, labels[rows])
        parts[unit.cell.fusion.name, unit.fold.fold, position, part] += 1
    assert set(parts) == set(
        itertools.product(("text_only", "concat"), range(3), range(3), ("train", "scored"))
    )
    # Inner folds are asked again where candidates by default are widened: the weights of concat.
    assert {key for key, times in parts.items() if times > 1} <= {
        key for key in parts if key[0] == "concat" and key[2] > 0
    }


def test_scalers_learn_from_the_training_rows_of_one_split_only(folder, monkeypatch, plans):
    seen, fit = set(), BlockScaler.fit

    def spy(self, block):
        seen.add(dense(block.array()).tobytes())
        return fit(self, block)

    monkeypatch.setattr(BlockScaler, "fit", spy)
    assert run_grid(folder) == 0
    plan, dataset = plans[0]
    frozen = next(features for features in plan.features.values() if features.modality == "image")
    pictures = frozen.load(FolderStore(folder / "store"), dataset.modalities["image"].index).array()
    assert len(np.unique(pictures, axis=0)) == 36
    expected = set()
    for rows in training_sets(folder):
        expected |= {
            values.tobytes()
            for values in (pictures[rows], counts(texts_of(rows), texts_of(rows)))
        }
    assert len(expected) == 2 * 3 * (1 + 2)
    assert seen == expected


# --- changed test rows


@pytest.mark.parametrize("encoder", LEARNING)
def test_changed_test_rows_leave_the_training_features_byte_identical(folder, plans, encoder):
    use(folder, encoder)
    assert run_grid(folder, "--plan") == 0
    rows, before = read_rows(folder), training_features(folder, *plans[-1])
    for fold in range(3):
        changed = [list(row) for row in rows]
        for row in fold_of(plans[0], fold).test:
            changed[row][1] = f"changed{row}.png"
            changed[row][2] = f"{changed[row][2]} canary canary{row}"
            (folder / changed[row][1]).write_bytes(png(1000 + row))
        write_rows(folder, changed)
        run_grid(folder, "--plan")
        np.testing.assert_array_equal(fold_of(plans[-1], fold).test, fold_of(plans[0], fold).test)
        after = training_features(folder, *plans[-1])
        assert all(ours.keys() == theirs.keys() for ours, theirs in zip(after, before, strict=True))
        assert after[fold] == before[fold]
        # The other folds train on changed rows: what is compared does change where it may.
        for other in {0, 1, 2} - {fold}:
            assert all(after[other][part] != before[other][part] for part in before[fold])


def fold_of(made, fold):
    return next(unit.fold for unit in made[0].units if unit.fold.fold == fold and unit.fold.inner)


def encode_now(features, dataset, store):
    """Put features into the store, with the frozen ones that they learn from."""
    needed = list(with_stages([features]).values())
    frozen = [form for form in needed if form.by_sample]
    for task in shard_tasks(frozen, dataset, store):
        assert all(isinstance(outcome, Done) for outcome in task.compute(store).values())
    for form in frozen:
        assert isinstance(assembled(form, dataset, store, {}), Done)
    for task in encode_tasks([form for form in needed if not form.by_sample], dataset, store):
        assert all(isinstance(outcome, Done) for outcome in task.compute(store).values())


def training_features(folder, plan, dataset):
    """Bytes of the features of each fold's training rows, by modality and split they are for."""
    stored = [{}, {}, {}]
    for unit in plan.units:
        for modality, of_splits in unit.features.items():
            for position, features in enumerate(of_splits):
                store = FolderStore(folder / "store")
                encode_now(features, dataset, store)
                block = features.load(store, dataset.modalities[modality].index)
                stored[unit.fold.fold][modality, position] = dense(
                    block.take(unit.fold.train).array()
                ).tobytes()
    return stored


# --- labels


def test_labels_of_test_rows_have_no_part_in_the_predictions(folder):
    write_grid(
        folder,
        GRID.replace("folds: 3", "official: true").replace("id: sku", "id: sku, split: part"),
    )
    rows = [
        [*row, "test" if number % 3 == 0 else "train"]
        for number, row in enumerate(read_rows(folder))
    ]
    write_rows(folder, rows, "part")
    assert run_grid(folder) == 0
    for row in rows:
        if row[-1] == "test":
            row[3] = {"cat": "dog", "dog": "car", "car": "dog"}[row[3]]
    write_rows(folder, rows, "part")
    assert run_grid(folder, out="changed") == 0
    tables = [pq.read_table(folder / out / "predictions.parquet") for out in ("out", "changed")]
    predicted = [table.drop_columns(["label"]) for table in tables]
    assert len(predicted[0]) == 6 * 12
    assert predicted[0].equals(predicted[1])
    assert not tables[0].equals(tables[1])
    assert all(float(row["accuracy"]) < 0.5 for row in scores(folder, "changed"))


def test_permuted_labels_give_chance(tmp_path):
    labels = list(np.random.default_rng(0).permutation(small_samples(60).labels))
    write_table(tmp_path, 60, labels=labels)
    assert run_grid(tmp_path) == 0
    cells = {cell: np.mean([float(row["accuracy"]) for row in rows])
             for cell, rows in itertools.groupby(scores(tmp_path), key=lambda row: row["cell"])}
    assert len(cells) == 6
    # Three standard errors of 180 draws.
    assert all(abs(mean - 1 / 3) < 0.12 for mean in cells.values()), cells
