"""pyarrow under another name, imported when it is first asked for something."""

from __future__ import annotations

import subprocess
import sys

import pyarrow
import pyarrow.compute
import pytest

from pipeline.data.reading import arrow
from tests.support.paths import ROOT


def test_its_names_are_those_of_pyarrow():
    assert arrow.table is pyarrow.table
    assert arrow.compute is pyarrow.compute
    assert arrow.parquet.read_table.__module__ == "pyarrow.parquet.core"
    with pytest.raises(AttributeError, match="tabel"):
        arrow.__getattr__("tabel")


def test_sources_and_grids_do_without_it_until_a_table_is_read():
    code = (
        "import sys; import pipeline.config.parse, pipeline.data.frame; "
        "print('pyarrow' in sys.modules, end=' '); "
        "pipeline.data.frame.pa.null(); print('pyarrow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
