"""Memory: what fits need, what is free, and fewer processes side by side where it is short."""

from __future__ import annotations

import re

import pytest

from pipeline.engine.memory import free, side_by_side_at_most
from pipeline.engine.processes import Processes
from pipeline.plan import needs
from pipeline.plan.needs import Needs, memory_text
from pipeline.plan.plan import make_plan
from pipeline.store.folder import FolderStore
from reports.units import GIGABYTE
from tests.support.comparisons import comparison_of
from tests.support.tiny import (
    GRID,
    register,
    results,
    run_grid,
    without_report,
    write_grid,
    write_table,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, GRID)
    return tmp_path


def planned(folder):
    return make_plan(comparison_of(folder / "grid.yaml"))


def test_needs_are_guessed_before_features_are_stored_and_known_afterwards(folder):
    plan, store = planned(folder), FolderStore(folder / "store")
    by_name = {unit.cell.name: unit for unit in plan.units}
    guessed = {name: Needs(store, 3).of(unit) for name, unit in by_name.items()}
    assert run_grid(folder) == 0
    known = {name: Needs(store, 3).of(unit) for name, unit in by_name.items()}
    concat, image = "mean_colour + bow / concat / logistic", "mean_colour / image_only / logistic"
    assert guessed["majority"] == known["majority"]
    assert known[image] < known[concat] < guessed[concat]  # 3 and about 10 numbers of a sample
    rows = len(by_name[image].fold.train)
    assert known[image] == pytest.approx(
        needs.PROCESS + 8 * 4 * rows * 3 + 12 * rows * 3 * by_name[image].fits,
        abs=8 * rows * 128 / 36 + 1)  # the file has a header of 128 bytes
    work = {name: Needs(store, 3).work(unit) for name, unit in by_name.items()}
    assert work["majority"] == 0.0
    assert work[image] == pytest.approx(by_name[image].fits * rows * 3, rel=128 / 36 / 4)
    assert work[concat] > by_name[concat].fits / by_name[image].fits * work[image]


def test_dense_rows_that_are_mapped_need_no_more_however_many(folder, monkeypatch):
    """Those of classifiers that solve jointly, and no sparse ones."""
    plan, store = planned(folder), FolderStore(folder / "store")
    assert run_grid(folder) == 0
    by_name = {unit.cell.name: unit for unit in plan.units}
    image, text = (by_name[name] for name in (
        "mean_colour / image_only / logistic", "bow / text_only / logistic"))
    before = {unit: Needs(store, 3).of(unit) for unit in (image, text)}
    monkeypatch.setattr(needs, "MAPPED", 100.0)
    logits = 12 * len(image.fold.train) * 3 * image.fits
    assert Needs(store, 3).of(image) == needs.PROCESS + 100 + logits
    assert Needs(store, 3).of(image) < before[image]
    assert Needs(store, 3).of(text) == before[text]


def test_the_plan_says_how_much_memory_it_takes_and_what_does_not_fit(folder, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.engine.processes.free", lambda: 21.5 * GIGABYTE)
    assert run_grid(folder, "--plan", jobs=2) == 0
    assert (
        "\nmemory:   about 0.5 GB with 2 processes, 21.5 GB are free\n" in capsys.readouterr().out
    )
    monkeypatch.setattr("pipeline.engine.processes.free", lambda: 0.3 * GIGABYTE)
    assert run_grid(folder, "--plan", jobs=2) == 0
    text = capsys.readouterr().out
    assert "0.3 GB are free\n" in text
    assert (
        "\n          12 results are computed with fewer processes side by side, the largest, of "
        in text
    )
    assert "1 at a time" in text
    assert "alone needs" not in text


def test_work_that_does_not_fit_side_by_side_is_done_one_after_the_other_with_the_same_results(
    folder, capsys, monkeypatch
):
    write_grid(folder, GRID.replace("folds: 3", "folds: 5"))
    assert run_grid(folder, out="all") == 0
    running, submit, finished = [0], Processes.submit, Processes.finished
    most = []

    def watched(self, batch, store, *, alone, may_be_left=False):
        running[0] += 1
        most.append((batch[0].stage, len(batch), running[0]))
        submit(self, batch, store, alone=True)

    def ended(self, patience=None):
        running[0] -= 1
        return finished(self, patience)

    monkeypatch.setattr(Processes, "submit", watched)
    monkeypatch.setattr(Processes, "finished", ended)
    monkeypatch.setattr("pipeline.engine.processes.free", lambda: 0.3 * GIGABYTE)
    (folder / "store").rename(folder / "other")
    capsys.readouterr()
    assert run_grid(folder, out="few", jobs=2) == 0
    # of five folds the three cells that solve jointly go together in two; the last are taken apart
    fits = [(count, at_once) for stage, count, at_once in most if stage == "Fits"]
    assert fits.count((3, 1)) == 2
    assert {at_once for _, at_once in fits} == {1}
    # 20 cells and folds, of which two of `majority` are one result
    assert sum(count for count, _ in fits) == 19
    assert (
        "memory: 19 results are computed with fewer processes side by side"
        in capsys.readouterr().err
    )
    assert results(folder, "few") == results(folder, "all")


def test_what_does_not_fit_alone_is_named_with_what_to_change(folder):
    plan = planned(folder)
    needs = Needs(FolderStore(folder / "store"), 3)
    text = memory_text(plan.units, needs, Processes(2, 1000.0))[-1]
    assert "mean_colour + bow / concat / logistic alone needs about" in text
    assert "data.sample" in text
    assert memory_text([], Needs(FolderStore(folder / "store"), 3), Processes(2, 1000.0)) == []
    assert side_by_side_at_most(10.0, 1.0, 4) == 0


def test_a_containers_limit_counts_where_it_is_lower_than_the_machines(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.engine.memory.CONTAINER", tmp_path)
    machine = free()
    assert machine > 1e6
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text(
        "anon 290\nfile 410\ninactive_file 300\nactive_file 100\n"
    )
    for limit, expected in (("max", machine), ("1000", 700.0)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        assert free() == pytest.approx(expected, rel=0.2)


def test_the_plan_says_how_many_fits_a_choice_among_cells_may_take(tmp_path, monkeypatch, capsys):
    register(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, GRID)
    assert run_grid(tmp_path, "--plan") == 0
    assert "choice: " not in capsys.readouterr().out  # every cell is predicted there to be tuned
    write_grid(tmp_path, GRID.replace("C: [1, 100]", "C: [10]"))
    assert run_grid(tmp_path, "--plan") == 0
    # image_only and text_only, on three folds of two inner ones each; concat chooses its weight
    assert "choice:   then up to 12 fits on inner folds" in capsys.readouterr().out
    # attention keeps what each of its networks says of rows that it has not seen
    attending = re.sub("fusion: .*", "fusion: [majority, attention]", GRID)
    write_grid(tmp_path, attending.replace("mean_colour", "handcrafted"))
    assert run_grid(tmp_path, "--plan") == 0
    planned = capsys.readouterr().out
    assert "attention" in planned
    assert "choice: " not in planned
