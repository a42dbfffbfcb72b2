"""Methods across data sets: Demsar's published example, and runs that cannot be compared."""

from __future__ import annotations

import csv
import html
import re
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import friedmanchisquare, wilcoxon

from pipeline.compare import CompareError, compare, main
from reports.analysis.many_data_sets import across
from reports.page.many_pages import diagram, pages

# Demsar (2006), table 6: AUC of C4.5 and three ways to tune it, on fourteen data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
METHODS = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")


@pytest.fixture
def demsar():
    return across(METHODS, [f"set {number}" for number in range(14)], DEMSAR)


def test_the_published_example(demsar):
    ranks = dict(zip(demsar.methods, demsar.ranks, strict=True))
    assert [round(ranks[name], 3) for name in METHODS] == [3.143, 2.0, 2.893, 1.964]
    assert demsar.methods[0] == "C4.5+m+cf"
    # The book's 3.69 leaves out what the ties within a data set take from the ranks' variance.
    plain = friedmanchisquare(*DEMSAR.T).statistic
    assert demsar.statistic == pytest.approx(13 * plain / (14 * 3 - plain))
    assert demsar.statistic > 3.69
    assert demsar.p_value < 0.05
    assert demsar.difference == pytest.approx(1.25, abs=0.01)  # with q = 2.569


def test_pairs_are_scipys_wilcoxon_and_friedman_agrees_without_ties():
    rng = np.random.default_rng(0)
    scores = rng.random((9, 3)) + np.array([0, 0.2, 0.4])
    facts = across("abc", "123456789", scores)
    (pair,) = (pair for pair in facts.pairs if {pair.method, pair.other} == {"a", "c"})
    assert pair.p_value == wilcoxon(scores[:, 0], scores[:, 2]).pvalue
    assert pair.adjusted >= pair.p_value
    plain = friedmanchisquare(*scores.T).statistic
    assert facts.statistic == pytest.approx(8 * plain / (18 - plain))
    assert across("abc", "123456789", -scores, greater_is_better=False).methods == facts.methods


def test_friedmans_test_counts_ties_as_scipy_does():
    scores = np.round(np.random.default_rng(3).random((12, 4)), 1)  # tied often
    plain = friedmanchisquare(*scores.T).statistic
    assert across("abcd", list("123456789xyz"), scores).statistic == pytest.approx(
        11 * plain / (12 * 3 - plain)
    )
    level = across("abc", "12", np.full((2, 3), 0.5))
    assert (level.statistic, level.p_value) == (0.0, 1.0)


def test_the_conclusion_does_not_contradict_the_bars(demsar):
    assert demsar.p_value < 0.05
    assert demsar.conclusion.endswith("its bar joins them all.")
    assert all(
        demsar.conclusion in html.unescape(page)
        for page in (
            pages(demsar, "ROC AUC")["compare.html"],
            pages(demsar, "ROC AUC")["compare.md"],
        )
    )
    far = across("abc", [str(n) for n in range(30)], np.tile([0.1, 0.5, 0.9], (30, 1)))
    assert far.conclusion == "the methods differ."
    level = across("abc", "12", np.full((2, 3), 0.5))
    assert level.conclusion == "no difference between the methods is shown."


def test_the_page_answers_in_a_line_and_marks_the_best_on_each_data_set(demsar):
    assert demsar.headline == "“C4.5+m+cf” is best on average, level with 3 others"
    assert (demsar.level, demsar.best_on(0)) == (("C4.5+m", "C4.5+cf", "C4.5"), 0.798)
    page = pages(demsar, "roc_auc")["compare.html"]
    assert '<td class="number strong" data-value="0.798">0.798</td>' in page
    assert '<td class="number" data-value="0.771">0.771</td>' in page
    far = across("abc", [str(n) for n in range(30)], np.tile([0.1, 0.5, 0.9], (30, 1)), False)
    assert (far.headline, far.best_on(3)) == ("“a” is best on 30 data sets", 0.1)
    level = across("abc", "12", np.full((2, 3), 0.5))
    assert level.headline == "No method is shown to be better than another on 2 data sets"


def test_methods_within_the_critical_difference_share_a_bar(demsar):
    # Mean ranks 1.964, 2, 2.893 and 3.143 lie within the difference of 1.25.
    assert demsar.cliques == (("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"),)
    far = across("abc", [str(n) for n in range(30)], np.tile([0.1, 0.5, 0.9], (30, 1)))
    assert far.cliques == ()
    assert far.p_value < 1e-6
    assert across("ab", "123", np.full((3, 2), 0.5)).cliques == (("a", "b"),)


def test_the_diagram_and_the_pages_hold_hostile_names():
    names = ("<script>alert(1)</script>", "a|b", "\x07 \u202ename")
    facts = across(names, [f"s{n}" for n in range(4)], np.random.default_rng(1).random((4, 3)))
    assert len(ElementTree.fromstring(diagram(facts))) > 5
    files = pages(facts, "accuracy")
    assert all("<script>alert" not in text and "\u202e" not in text for text in files.values())
    assert "a\\|b" in files["compare.md"]
    assert "takes 6 at least" in files["compare.md"]
    table = [line for line in files["compare.md"].splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table[:5]}) == 1


def write_run(folder, name, scores, fingerprint=None):
    """A run's folder: scores maps a cell's fusion and name to its values on the folds."""
    (folder / name).mkdir()
    with (folder / name / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cell", "fusion", "repeat", "fold", "balanced_accuracy", "log_loss"])
        for (fusion, cell), values in scores.items():
            rows = ([cell, fusion, 0, fold, value, value] for fold, value in enumerate(values))
            writer.writerows(rows)
    (folder / name / "grid.lock.yaml").write_text(
        f"name: {name}\n# data fingerprint (sha256): {fingerprint or name}\n"
    )
    return folder / name


SCORES = {
    ("concat", "cnn / concat"): (0.8, 0.6),
    ("late", "cnn / late"): (0.7, 0.6),
    ("majority", "majority"): (0.1, 0.1),
}


def test_runs_are_compared_by_what_they_share(tmp_path, capsys):
    first = write_run(tmp_path, "one", SCORES)
    second = write_run(
        tmp_path, "two", {**SCORES, ("late", "cnn / late"): (0.9, 0.8), ("x", "other"): (1, 1)}
    )
    facts = compare([first, second], "balanced_accuracy")
    assert set(facts.methods) == {"cnn / concat", "cnn / late", "majority"}
    assert dict(zip(facts.methods, zip(*facts.scores, strict=True), strict=True))[
        "cnn / late"
    ] == pytest.approx((0.65, 0.85))
    assert main([str(first), str(second), "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html",
        "compare.md",
        "compare.svg",
    }
    captured = capsys.readouterr()
    assert "compare.html" in captured.out
    assert facts.headline in captured.err
    assert "which on 2 data sets may be chance. Add data sets" in captured.err
    assert "1 method not compared:\n  other: not in one" in captured.err


def test_what_is_left_out_is_named_with_its_reason(tmp_path):
    first = write_run(tmp_path, "one", {**SCORES, ("gated", "cnn / gated"): (0.9, "")})
    second = write_run(tmp_path, "two", {**SCORES, ("cca", "cnn / cca"): (0.9, 0.8)})
    for by, gated, cca in (("cell", "cnn / gated", "cnn / cca"), ("fusion", "gated", "cca")):
        facts = compare([first, second], "balanced_accuracy", by=by)
        assert {left.method: left.reason for left in facts.left_out} == {
            gated: "not in two; without a score on every fold of one", cca: "not in one"
        }
        files = pages(facts, "balanced_accuracy")
        for name in ("compare.html", "compare.md"):
            text = html.unescape(files[name])
            assert f"{cca}" in text
            assert "without a score on every fold of one" in text
            assert facts.advice in text
            assert "Statistical comparisons of classifiers" in text
    assert compare([write_run(tmp_path, "three", SCORES), write_run(tmp_path, "four", SCORES)],
                   "balanced_accuracy").left_out == ()


def test_runs_in_folders_of_one_name_are_told_apart_by_what_stands_above(tmp_path):
    folders = [tmp_path / "first" / "data", tmp_path / "second" / "data", tmp_path / "other"]
    for folder, further in zip(folders, ("cca", "gated", "cca"), strict=True):
        folder.parent.mkdir(exist_ok=True)
        scores = {**SCORES, (further, f"cnn / {further}"): (0.9, 0.8)}
        write_run(folder.parent, folder.name, scores, fingerprint=str(folder))
    facts = compare(folders, "balanced_accuracy")
    assert facts.data_sets == ("first/data", "second/data", "other")
    assert {left.method: left.reason for left in facts.left_out} == {
        "cnn / cca": "not in second/data", "cnn / gated": "not in first/data and other"
    }


def test_the_same_rows_are_one_data_set_whichever_columns_were_looked_at(tmp_path, capsys):
    """Runs of the texts and of the pictures of one table have fingerprints of their own."""
    folders = [write_run(tmp_path, name, SCORES) for name in ("texts", "pictures", "others")]
    for folder, label in zip(folders, ("cat", "cat", "dog"), strict=True):
        rows = [{"id": str(row), "cell": "cnn / concat", "label": label} for row in range(3)]
        pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    with pytest.raises(CompareError, match="texts and pictures hold the same data"):
        compare(folders[:2], "balanced_accuracy")
    assert compare([folders[0], folders[2]], "balanced_accuracy").methods
    (folders[0] / "predictions.parquet").write_bytes(b"no table")
    assert main([*map(str, folders), "--out", str(tmp_path / "out")]) == 2
    assert "texts holds a damaged file" in capsys.readouterr().err


def test_the_advice_follows_the_tests(demsar):
    assert demsar.advice.startswith(
        "Take “C4.5+m+cf”, or what is simpler or cheaper among those that are not told apart from "
        "it: “C4.5+m”, “C4.5+cf” and “C4.5”."
    )
    far = across("abc", [str(n) for n in range(30)], np.tile([0.1, 0.5, 0.9], (30, 1)))
    assert far.advice == "Take “c”. “c” has the best mean rank, 1.00 of 3, clearly before the next."


def test_best_cells_of_fusions_are_compared_whatever_their_encoders(tmp_path):
    first = write_run(tmp_path, "one", {**SCORES, ("concat", "sbert / concat"): (0.9, 0.9)})
    second = write_run(
        tmp_path,
        "two",
        {(fusion, f"vit {cell}"): values for (fusion, cell), values in SCORES.items()},
    )
    with pytest.raises(CompareError, match="share 0 methods"):
        compare([first, second], "balanced_accuracy")
    facts = compare([first, second], "balanced_accuracy", by="fusion")
    assert facts.methods[0] == "concat"
    assert facts.scores[0][0] == pytest.approx(0.9)
    assert compare([first, second], "log_loss", by="fusion").methods[0] == "majority"


def test_an_incomplete_cell_is_no_method(tmp_path):
    first = write_run(tmp_path, "one", {**SCORES, ("late", "cnn / late"): (0.9, "")})
    second = write_run(tmp_path, "two", SCORES)
    assert "cnn / late" not in compare([first, second], "balanced_accuracy").methods


@pytest.mark.parametrize(
    ("make", "metric", "said"),
    [
        (
            lambda folder: [write_run(folder, "one", SCORES)],
            "balanced_accuracy",
            "needs two at least",
        ),
        (
            lambda folder: [
                write_run(folder, "one", SCORES, "x"),
                write_run(folder, "two", SCORES, "x"),
            ],
            "balanced_accuracy",
            "list all of it in one grid and run that",
        ),
        (lambda folder: [folder / "none", folder], "balanced_accuracy", "holds no finished run"),
        (lambda folder: [folder], "balanced_acuracy", "did you mean 'balanced_accuracy'"),
        (
            lambda folder: [write_run(folder, "one", SCORES), write_run(folder, "two", SCORES)],
            "accuracy",
            "has no column accuracy",
        ),
    ],
)
def test_runs_that_cannot_be_compared(tmp_path, make, metric, said, capsys):
    assert (
        main([*map(str, make(tmp_path)), "--metric", metric, "--out", str(tmp_path / "out")]) == 2
    )
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_diagram_is_as_wide_as_its_names_ask_for(demsar):
    """Short names fit a phone sooner; no name begins outside."""
    long = across([f"{name} {'x' * 30}" for name in METHODS], list("12345678901234"), DEMSAR)
    widths = []
    for facts in (demsar, long):
        drawn = ElementTree.fromstring(diagram(facts))
        width = float(drawn.get("width"))
        for text in drawn.iter("{http://www.w3.org/2000/svg}text"):
            long_as, x = 6.6 * len(text.text), float(text.get("x"))
            begin = {"start": x, "middle": x - long_as / 2, "end": x - long_as}
            assert 0 <= begin[text.get("text-anchor")] <= width - long_as
        widths.append(width)
    assert widths[0] < 700 < widths[1]


def test_the_baseline_is_not_what_to_take():
    names = ("cca", "majority", "gated", "concat")
    facts = across(names, [f"set {number}" for number in range(14)], DEMSAR)
    assert facts.level == ("majority", "gated", "cca")
    assert "told apart from it: “gated” and “cca”." in facts.advice
