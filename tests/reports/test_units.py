"""Durations and sizes in words, where their units change."""

from __future__ import annotations

import math

from reports.units import duration, elapsed, gigabytes, rough_duration, rough_size, size


def test_sizes_in_the_unit_a_reader_would_choose():
    assert [size(number) for number in (0, 999, 1500, 99_500, 2_500_000, 7.25e9, math.nan)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "100 kB",
        "2.5 MB",
        "7.2 GB",
        "–",
    ]
    assert [rough_size(number) for number in (0, 999, 1500, 2_500_000, 7.25e9)] == [
        "0 B",
        "999 B",
        "2 kB",
        "2 MB",
        "7.2 GB",
    ]
    assert gigabytes(3 * 2**29) == "1.5 GB"


def test_estimates_of_time_are_coarser_than_measured_ones():
    seconds = (0.4, 89, 90, 5399, 5400, 36_000)
    assert [rough_duration(s) for s in seconds] == [
        "0 s",
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
        "10.0 h",
    ]
    assert duration(0.4) == "400 ms"
    assert duration(90) == "90.0 s"
    assert duration(math.nan) == "–"


def test_what_has_passed_is_told_to_the_second_for_an_hour():
    seconds = (0.4, 89, 90, 125.4, 3599, 3600, 36_000)
    assert [elapsed(s) for s in seconds] == [
        "0 s",
        "89 s",
        "1 min 30 s",
        "2 min 5 s",
        "59 min 59 s",
        "1.0 h",
        "10.0 h",
    ]
