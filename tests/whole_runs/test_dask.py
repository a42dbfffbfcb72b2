"""Whole runs on workers of a dask cluster: the results are those of processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from reports.record import RunRecord
from tests.support.paths import ROOT
from tests.support.tiny import GRID, results, run_grid, write_grid, write_table

# Encoders that are there in other processes, too.
REAL_GRID = GRID.replace("mean_colour", "handcrafted")


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    write_grid(tmp_path, REAL_GRID)
    return tmp_path


def test_both_engines_give_the_same_scores_and_predictions(folder, capsys, monkeypatch):
    records: list[RunRecord] = []
    monkeypatch.setattr(
        "reports.page.render.write_report", lambda record, _: records.append(record)
    )
    assert run_grid(folder, out="processes") == 0
    (folder / "store").rename(folder / "other")
    assert run_grid(folder, "--engine", "dask", out="dask", jobs=2) == 0
    assert "warning: worker" not in capsys.readouterr().err
    assert results(folder, "dask") == results(folder, "processes")
    tables = [
        pq.read_table(folder / out / "predictions.parquet") for out in ("dask", "processes")
    ]
    assert tables[0].equals(tables[1])
    kinds = [
        {path.parent.name: json.loads(path.read_text())["ingredients"]["kind"]
         for path in (folder / store / "entries").glob("*/*/manifest.json")}
        for store in ("store", "other")
    ]
    differing = kinds[0].items() ^ kinds[1].items()
    assert [kind for _, kind in differing] == ["report"] * 2  # each names its command
    alone, together = records
    assert alone.workers == ()
    assert len(together.workers) == 2
    # each entry that a run counts, shards too, but for the features that these are put together to
    assert sum(worker.computed for worker in together.workers) == 33

    # where the grid says it, it is no other grid: all is there, and no worker need start
    monkeypatch.setattr("pipeline.engine.dask.Cluster", None)
    write_grid(folder, REAL_GRID + "run: {engine: dask}\n")
    assert run_grid(folder, "--plan") == 0
    assert "0 to compute" in capsys.readouterr().out
    assert run_grid(folder, out="again") == 0
    assert "results: 0 computed" in capsys.readouterr().err
    assert results(folder, "again") == results(folder, "processes")


def test_an_address_belongs_to_dask(folder, capsys):
    assert run_grid(folder, "--address", "tcp://127.0.0.1:9", "--plan") == 2
    assert "say --engine dask" in capsys.readouterr().err
    write_grid(folder, REAL_GRID + "run: {address: 'tcp://127.0.0.1:9'}\n")
    assert run_grid(folder, "--plan") == 2
    assert "say engine: dask, too" in capsys.readouterr().err
    # the command line goes before the grid
    write_grid(folder, REAL_GRID + "run: {engine: dask, address: 'tcp://127.0.0.1:9'}\n")
    assert run_grid(folder, "--plan", "--engine", "processes") == 0


def test_an_unknown_engine_is_named_with_the_nearest(folder, capsys):
    write_grid(folder, REAL_GRID + "run: {engine: dusk}\n")
    assert run_grid(folder, "--plan") == 2
    assert "unknown engine 'dusk'; did you mean 'dask'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_grid(folder, "--engine", "proceses")
    assert "did you mean 'processes'?" in capsys.readouterr().err


def test_ctrl_c_ends_the_run_and_its_workers(folder):
    command = [sys.executable, "-m", "pipeline.run", str(folder / "grid.yaml"), "--jobs", "2",
               "--store", str(folder / "store"), "--out", str(folder / "out"), "--engine", "dask"]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        line = ""
        while not line.startswith("Fits: "):
            line = process.stderr.readline()
            assert line, "it ended before"
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()  # ends when the last of its workers has ended
        assert process.wait() == 130
    assert "Traceback" not in said
    assert said.endswith(
        "\nstopped; what is finished is kept: run the same command to go on\n"
    )
