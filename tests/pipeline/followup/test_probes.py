"""The second phase: altered rows, additive projections, reuse; late fusion under the same rules."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest

from features.block import Block
from models.early.concat import Concat
from models.views import Views
from pipeline.folds.fold import Fold
from pipeline.followup.alterations import (
    SHARES,
    Alteration,
    alterations,
    altered,
    altered_views,
    paired_rows,
)
from pipeline.followup.probe_scores import additive_projection
from tests.support.tiny import (
    GRID,
    MeanColour,
    recorded_runs,
    register,
    run_grid,
    without_report,
    write_grid,
    write_table,
)

ROWS = np.arange(20)
FOLD = Fold(0, 1, ROWS, ROWS, ())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    return tmp_path


@pytest.fixture
def records(monkeypatch):
    return recorded_runs(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder whose grid was run, with its store, and the record of the run."""
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder)
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        records = recorded_runs(patch)
        assert run_grid(folder) == 0
    return folder, records[0]


@pytest.fixture
def copied(finished, tmp_path, monkeypatch):
    """A copy of that folder."""
    register(monkeypatch)
    without_report(monkeypatch)
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_alterations_of_one_and_of_both_modalities():
    assert len(alterations({"text"})) == 2 * len(SHARES)
    both = alterations({"text", "image"})
    assert len(both) == 4 * len(SHARES) + 1
    assert both[-1] == Alteration("missing", ("image", "text"), 1.0)


@pytest.mark.parametrize("share", SHARES)
def test_a_share_goes_missing_or_is_exchanged_and_larger_shares_hold_the_smaller(share):
    index = ROWS + 100
    missing = altered(index, "text", Alteration("missing", ("text",), share), FOLD, seed=3)
    swapped = altered(index, "text", Alteration("swapped", ("text",), share), FOLD, seed=3)
    assert (missing == -1).sum() == (swapped != index).sum() == share * 20
    assert set(np.flatnonzero(missing == -1)) == set(np.flatnonzero(swapped != index))
    assert sorted(swapped) == sorted(index)
    assert np.array_equal(missing[missing >= 0], index[missing >= 0])
    smaller = altered(index, "text", Alteration("missing", ("text",), 0.25), FOLD, seed=3)
    assert set(np.flatnonzero(smaller == -1)) <= set(np.flatnonzero(missing == -1))
    assert altered(index, "image", Alteration("missing", ("text",), share), FOLD, seed=3) is index
    again = altered(index, "text", Alteration("missing", ("text",), share), FOLD, seed=4)
    assert share == 1 or not np.array_equal(again, missing)


def test_altered_views_share_their_features():
    values = np.eye(20, dtype=np.float32)
    views = Views(Block.of(values), Block.of(values))
    without_pictures = altered_views(views, Alteration("missing", ("image",), 0.5), FOLD, seed=0)
    assert without_pictures.image.values is values
    assert without_pictures.image.present.sum() == 10
    assert np.array_equal(without_pictures.text.index, views.text.index)


def test_pairs_are_drawn_from_rows_with_both_modalities():
    whole = ROWS % 3 == 0
    assert set(paired_rows(whole, FOLD, 0)) == set(np.flatnonzero(whole))
    assert len(paired_rows(np.ones(500, dtype=bool), FOLD, 0)) == 48


def test_the_projection_leaves_additive_models_alone_and_takes_interactions_away():
    rng = np.random.default_rng(0)
    image, text = rng.normal(size=(2, 30, 4))
    odds = np.exp(image[:, None] + text[None])
    added = odds / odds.sum(axis=2, keepdims=True)
    matching = added[np.arange(30), np.arange(30)]
    assert np.array_equal(additive_projection(added).argmax(axis=1), matching.argmax(axis=1))
    signs = rng.choice([-1, 1], (2, 40))
    # exclusive or: neither modality says anything by itself
    product = signs[0][:, None] * signs[1][None]
    interaction = np.stack([0.5 + 0.45 * product, 0.5 - 0.45 * product], axis=2)
    labels = (product.diagonal() < 0).astype(int)
    assert np.mean(interaction[np.arange(40), np.arange(40)].argmax(axis=1) == labels) == 1
    assert np.mean(additive_projection(interaction).argmax(axis=1) == labels) < 0.8
    assert additive_projection(np.zeros((0, 0, 3))).shape == (0, 3)


def test_a_run_asks_the_best_cell_of_each_fusion(finished):
    _, record = finished
    fusions = {cell.name: cell.fusion.split("(")[0] for cell in record.cells}
    asked = dict.fromkeys(probe.cell for probe in record.probes)
    assert sorted(fusions[name] for name in asked) == ["concat", "image_only", "late", "text_only"]
    whole = {(fold.cell, fold.fold): fold.scores["balanced_accuracy"] for fold in record.folds}
    for probe in record.probes:
        assert len(probe.scores) == 3
        if probe.change == "none":
            assert all(score == whole[probe.cell, key[1]] for key, score in probe.scores)
        if probe.change == "missing" and (probe.share, probe.modalities) == (
            1.0,
            ("image", "text"),
        ):
            # class frequencies
            assert all(score == pytest.approx(1 / 3, abs=0.01) for _, score in probe.scores)
    assert {additive.cell for additive in record.additive} == {
        name for name in asked if fusions[name] in ("concat", "late")
    }
    # Neither concat with logistic regression nor the product of two models has interactions.
    concat = next(
        additive for additive in record.additive if fusions[additive.cell] == "concat"
    )
    assert (concat.rows, concat.changed, concat.score) == (36, 0.0, pytest.approx(concat.additive))


def test_late_fusion_without_a_modality_is_its_other_part(finished):
    _, record = finished
    table = {(probe.cell, probe.change, probe.modalities, probe.share): dict(probe.scores)
             for probe in record.probes}
    late = next(
        cell
        for cell in record.cells
        if cell.parts and any(probe.cell == cell.name for probe in record.probes)
    )
    image, text = late.parts
    assert table[late.name, "missing", ("text",), 1.0] == table[image, "none", (), 0.0]
    assert table[late.name, "missing", ("image",), 1.0] == table[text, "none", (), 0.0]


def test_only_the_first_repeat_is_asked(folder, records):
    write_grid(folder, GRID.replace("repeats: 1", "repeats: 2"))
    run_grid(folder)
    scores = chain.from_iterable(probe.scores for probe in records[0].probes)
    assert {key[0] for key, _ in scores} == {0}


def test_a_second_run_asks_nothing_and_says_the_same(finished, copied, records, monkeypatch):
    monkeypatch.setattr(Concat, "fit", lambda *_: pytest.fail("fitted again"))
    run_grid(copied, out="again")
    first, again = finished[1], records[0]
    assert (MeanColour.calls, again.probes, again.additive) == ([], first.probes, first.additive)


@pytest.mark.parametrize("gone", [("probes", "features"), ("probes", "features", "shard")])
def test_features_that_are_gone_are_there_again(finished, copied, records, gone):
    """From their shards, or encoded where these are gone, too."""
    for entry in (copied / "store" / "entries").glob("??/*"):
        text = (entry / "manifest.json").read_text()
        if any(f'"kind":"{kind}"' in text for kind in gone):
            entry.rename(copied / entry.name)
    run_grid(copied, out="again")
    assert bool(MeanColour.calls) == ("shard" in gone)
    assert records[0].probes == finished[1].probes


def test_a_cell_that_cannot_be_asked_is_a_warning_not_a_failure(folder, records, monkeypatch):
    def fail_where_altered(self, views):
        if not views.text.present.all():
            raise RuntimeError("no texts, no answer")
        return predict(self, views)

    predict = Concat.predict_proba
    monkeypatch.setattr(Concat, "predict_proba", fail_where_altered)
    assert run_grid(folder) == 0
    (record,) = records
    assert any(
        "could not ask mean_colour + bow / concat / logistic" in text
        and "no texts, no answer" in text
        for text in record.warnings
    )
    assert not any("concat" in probe.cell for probe in record.probes)


def test_the_second_phase_imports_no_torch():
    code = "import sys, pipeline.followup.probe_scores; print('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )
