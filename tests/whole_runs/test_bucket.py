"""Runs whose store is a bucket: the same scores, and nothing is done twice on another machine."""

from __future__ import annotations

import pytest

from pipeline.store.opening import store_at
from tests.support.tiny import (
    MeanColour,
    register,
    results,
    run_grid,
    scores,
    without_report,
    write_table,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path, per_class=6)
    return tmp_path


def another_machine(monkeypatch, folder) -> None:
    """Go on as a process of a machine that has no local copies."""
    monkeypatch.setenv("MODALGRID_CACHE", str(folder / "another cache"))
    store_at.cache_clear()


def test_scores_are_those_of_a_folder_and_another_machine_computes_nothing(
    folder, bucket, monkeypatch, capsys
):
    assert run_grid(folder, out="with folder") == 0
    assert run_grid(folder, out="first", store=bucket) == 0
    assert results(folder, "first") == results(folder, "with folder")
    another_machine(monkeypatch, folder)
    MeanColour.calls.clear()
    capsys.readouterr()
    assert run_grid(folder, out="second", store=bucket) == 0
    said = capsys.readouterr().err
    assert "features: 0 computed" in said
    assert "results: 0 computed" in said
    assert MeanColour.calls == []
    assert scores(folder, "second") == scores(folder, "first")


def test_a_bucket_that_is_not_there_stops_the_run_with_a_sentence(folder, bucket, capsys):
    assert run_grid(folder, store="s3://no-such-bucket/prefix") == 2
    said = capsys.readouterr().err
    assert said.startswith("stopped: --store s3://no-such-bucket/prefix cannot be made")
    assert "AWS_ENDPOINT_URL" in said
    assert said.count("\n") == 1
