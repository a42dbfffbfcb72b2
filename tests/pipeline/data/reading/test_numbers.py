"""Numbers of every format are the same shortest, exact text."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.frame import Frame
from pipeline.data.reading.numbers import is_number, number_text
from pipeline.data.sources.table import Table


@pytest.mark.parametrize(("number", "text"), [
    (3.0, "3"),
    (-0.0, "0"),
    (Decimal("-0.00"), "0"),
    ("-0", "0"),
    (2.5, "2.5"),
    (Decimal("2.50"), "2.5"),
    ("0.10", "0.1"),
    ("1e3", "1000"),
    (Decimal("1E+3"), "1000"),
    (4006381333931.0, "4006381333931"),
    (1e20, "100000000000000000000"),
    (2.0**63, "9223372036854775808"),
    ("12345678901234567890123456789", "12345678901234567890123456789"),
    (1e300, "1e+300"),
    ("-1.50e300", "-1.5e+300"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (1.5e-7, "1.5e-7"),
    (np.float32(2.1), "2.1"),
    (np.float16(0.1), "0.1"),
    (np.float32(1e10), "10000000000"),
    (np.int64(-3), "-3"),
    (float("inf"), "inf"),
    (float("nan"), None),
    (Decimal("NaN"), None),
    ("1e999999999", "1e+999999999"),
    ("1e99999999999999999999", "1e99999999999999999999"),
])
def test_a_number_is_its_shortest_exact_text(number, text):
    assert number_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back(number):
    text = number_text(number)
    assert float(text) == number
    assert is_number(text)
    assert number_text(text) == text


@given(st.integers())
def test_whole_numbers_of_any_size_keep_their_digits(number):
    assert Decimal(number_text(number)) == number
    assert number_text(number) == number_text(Decimal(number)) == number_text(str(number))


def test_what_json_does_not_write_so_is_no_number():
    assert [is_number(text) for text in ("007", "+1", "1.", ".5", "", "1e", "١")] == [False] * 7


NUMBERS = [4006381333931, 2.5, 0, -1, 1e12]
EXPECTED = ["4006381333931", "2.5", "0", "-1", "1000000000000"]
COLUMNS = {
    "double": pa.array([*map(float, NUMBERS), None]),
    "decimal": pa.array([*(Decimal(f"{number:.2f}") for number in NUMBERS), None]),
    "dictionary": pa.array([*map(float, NUMBERS), None]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", [*COLUMNS, "json", "pandas", "rows"])
def test_every_format_gives_the_same_text(kind, tmp_path):
    rows = [{"id": number, "c": "a"} for number in [*NUMBERS, None]]
    if kind == "json":
        (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
        samples = Table(path="items.jsonl", text="id", label="c").load(tmp_path)
    elif kind in COLUMNS:
        pq.write_table(pa.table({"id": COLUMNS[kind], "c": ["a"] * 6}), tmp_path / "items.parquet")
        samples = Table(path="items.parquet", text="id", label="c").load(tmp_path)
    else:
        rows = pd.DataFrame(rows) if kind == "pandas" else rows
        samples = Frame(text="id", label="c").samples(rows)
    assert samples.texts == [*EXPECTED, None]


@pytest.mark.parametrize("kind", ["parquet", "numpy", "nullable"])
def test_narrow_floats_are_as_short_as_they_were_written(kind, tmp_path):
    numbers = np.array([2.1, 0.3, -0.0], dtype=np.float32)
    if kind == "parquet":
        pq.write_table(pa.table({"id": numbers, "c": ["a"] * 3}), tmp_path / "items.parquet")
        samples = Table(path="items.parquet", text="id", label="c").load(tmp_path)
    else:
        column = pd.Series(numbers, dtype="Float32" if kind == "nullable" else None)
        samples = Frame(text="id", label="c").samples(pd.DataFrame({"id": column, "c": "a"}))
    assert samples.texts == ["2.1", "0.3", "0"]
