"""The source `table`: what it reads from each kind of file, and what it says of a bad one."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.build import build
from pipeline.data.dataset import DatasetError
from pipeline.data.row_check import RowRules
from pipeline.data.samples import BytesPicture, FilePicture
from pipeline.data.sources.parquet import ParquetPicture
from pipeline.data.sources.table import Table
from pipeline.store.folder import FolderStore
from tests.support.paths import SHARED
from tests.support.source_examples import png, problems_of, write_csv

# Every character that a file can hold, and often those that its format gives a meaning.
NASTY = st.text(
    st.one_of(
        st.sampled_from("\",;\t\n\r'\\ |{}[]:#\u2028\u200f\u05d0\u0628\ufeff😀👩🏽‍🚀"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=12,
)
ROWS = st.lists(st.tuples(NASTY, NASTY), min_size=1, max_size=6)


def plain(value):
    return value.strip() or None


def write(file, names, rows):
    """Write rows of texts to a table file of any kind."""
    if file.suffix in {".csv", ".tsv"}:
        write_csv(file, [names, *rows], "," if file.suffix == ".csv" else "\t")
    elif file.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]
        file.write_text("\n".join(lines) + "\n", "utf-8", newline="")
    else:
        pq.write_table(
            pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)}), file
        )
    return file


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_any_text_comes_back_as_it_was_written(ending, tmp_path, rows):
    write(tmp_path / f"items{ending}", ("text", "class"), rows)
    table = Table(path=f"items{ending}", text="text", label="class", quoting="double")
    samples = table.load(tmp_path)
    assert samples.texts == [plain(text) for text, _ in rows]
    assert samples.labels == [plain(label) for _, label in rows]
    numbers = range(1, len(rows) + 1)
    assert samples.locations == [f"items{ending} row {number}" for number in numbers]
    assert samples.pictures == [None] * len(rows)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_a_byte_order_mark_belongs_to_no_name_and_endings_may_be_capitals(ending, tmp_path):
    file = write(tmp_path / f"items{ending}", ("text", "class"), [("one", "a")])
    capital = tmp_path / f"ITEMS{ending.upper()}"
    capital.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    samples = Table(path=capital.name, text="text", label="class").load(tmp_path)
    assert (samples.texts, samples.labels) == (["one"], ["a"])


def test_every_column_plays_its_part(tmp_path):
    write_csv(tmp_path / "shop" / "items.csv", [
        ("picture", "title", "description", "class", "sku", "brand", "maker", "part"),
        ("p/1.png", "Mug", "Blue,\nlarge", "3", "007", "A", "x", "train"),
        ("", "Cup", " ", "12", "008", "B", "", "test"),
    ])
    samples = Table(
        path="shop/items.csv",
        image="picture",
        text=["title", "description"],
        label="class",
        id="sku",
        group=["brand", "maker"],
        split="part",
    ).load(tmp_path)
    assert samples.pictures == [FilePicture(tmp_path / "shop" / "p" / "1.png"), None]
    assert samples.texts == ["Mug\nBlue,\nlarge", "Cup"]
    assert samples.labels == ["3", "12"]
    assert samples.ids == ["007", "008"]
    assert samples.groups == {"brand": ["A", "B"], "maker": ["x", None]}
    assert samples.group == "brand"
    assert samples.split == ["train", "test"]


def test_values_of_any_type_become_their_plain_text(tmp_path):
    columns = {
        "whole": pa.array([3.0, float("nan"), 2.5]),
        "number": pa.array([3, None, -1]),
        "truth": pa.array([True, False, None]),
        "day": pa.array([0, 1, None], pa.date32()),
        "kind": pa.array(["x", "y", None]).dictionary_encode(),
        "large": pa.array(["a", " ", "b"], pa.large_string()),
        "nothing": pa.nulls(3),
        "moment": pa.array([0, 1_500_000, None], pa.timestamp("us")),
        "precise": pa.array([0, 1_500_000_000, None], pa.timestamp("ns", "UTC")),
        "hour": pa.array([0, 10_000_000, None], pa.time64("us")),
        "unique": pa.array([bytes(16), b"\xff" * 16, None], pa.uuid()),
    }
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    labels = {
        name: Table(path="items.parquet", text="large", label=name).load(tmp_path).labels
        for name in columns
    }
    assert labels == {
        "whole": ["3", None, "2.5"],
        "number": ["3", None, "-1"],
        "truth": ["true", "false", None],
        "day": ["1970-01-01", "1970-01-02", None],
        "kind": ["x", "y", None],
        "large": ["a", None, "b"],
        "nothing": [None] * 3,
        "moment": ["1970-01-01 00:00:00", "1970-01-01 00:00:01.5", None],
        "precise": ["1970-01-01 00:00:00Z", "1970-01-01 00:00:01.5Z", None],
        "hour": ["00:00:00", "00:00:10", None],
        "unique": [
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", None
        ],
    }


def test_spans_of_time_have_no_plain_text(tmp_path):
    columns = {"text": pa.array([1], pa.duration("s")), "class": ["a"]}
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    source = Table(path="items.parquet", text="text", label="class")
    assert problems_of(lambda: source.load(tmp_path)) == [
        "items.parquet column 'text' must hold text, numbers, dates or true and false, not "
        "duration[s]"
    ]


def test_json_numbers_are_exact_and_missing_keys_are_empty(tmp_path):
    (tmp_path / "items.jsonl").write_text(
        '{"text": "2020-01-01", "class": 12345678901234567890}\n\n'
        '{"class": 3.0}\n{"text": true, "class": 0.10}\n'
    )
    samples = Table(path="items.jsonl", text="text", label="class").load(tmp_path)
    assert samples.texts == ["2020-01-01", None, "true"]
    assert samples.labels == ["12345678901234567890", "3", "0.1"]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_encoded_pictures_stay_in_the_file(kind, tmp_path):
    pictures = pa.array([png("red"), None, b"", png("blue")], kind)
    pq.write_table(pa.table({"image": pictures, "class": list("abab")}), tmp_path / "items.parquet")
    samples = Table(path="items.parquet", image="image", label="class").load(tmp_path)
    assert [picture and picture.read() for picture in samples.pictures] == [
        png("red"),
        None,
        None,
        png("blue"),
    ]
    assert samples.texts == [None] * 4
    picture = samples.pictures[3]
    assert isinstance(picture, ParquetPicture)
    assert picture.name == "items.parquet row 4"
    assert picture.digest() == BytesPicture("", png("blue")).digest()


def test_hugging_face_pictures_are_bytes_or_else_a_path(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pictures = pa.array(
        [{"bytes": png("red"), "path": "red.png"}, {"bytes": None, "path": "p/blue.png"}, None],
        kind,
    )
    pq.write_table(pa.table({"image": pictures, "class": list("aba")}), tmp_path / "items.parquet")
    bytes_, path, nothing = (
        Table(path="items.parquet", image="image", label="class").load(tmp_path).pictures
    )
    assert bytes_.read() == png("red")
    assert path == FilePicture(tmp_path / "p" / "blue.png")
    assert nothing is None


def test_every_missing_column_is_reported_with_the_nearest_one(tmp_path):
    write_csv(tmp_path / "items.csv", [("picture", "title", "class"), ("a", "b", "c")])
    problems = problems_of(
        lambda: Table(
            path="items.csv",
            image="pictur",
            text=["title", "titel"],
            label="clas",
            where={"part": "train"},
        ).load(tmp_path)
    )
    columns = "(columns: class, picture, title)"
    assert problems == [
        f"image: items.csv has no column 'pictur'; did you mean 'picture'? {columns}",
        f"text: items.csv has no column 'titel'; did you mean 'title'? {columns}",
        f"label: items.csv has no column 'clas'; did you mean 'class'? {columns}",
        f"where: items.csv has no column 'part' {columns}",
    ]


def test_a_table_needs_pictures_or_texts(tmp_path):
    assert "image" in problems_of(lambda: Table(path="items.csv", label="class").load(tmp_path))[0]


def test_columns_that_cannot_play_their_part_are_reported_together(tmp_path):
    pq.write_table(
        pa.table(
            {"n": [1, 2], "many": [["a"], ["b"]], "part": ["train", "dev"], "bytes": [b"\xff", b""]}
        ),
        tmp_path / "items.parquet",
    )
    problems = problems_of(
        lambda: Table(
            path="items.parquet", image="n", text=["many", "bytes"], label="n", split="part"
        ).load(tmp_path)
    )
    assert [problem.split(" must hold ")[0] for problem in problems] == [
        "items.parquet column 'n'",
        "split: column 'part' of items.parquet",
        "items.parquet column 'many'",
        "items.parquet column 'bytes'",
    ]
    assert "'dev' in 1 row" in problems[1]
    assert "write train and test there" in problems[1]


def test_where_leaves_rows_of_other_parts_out_before_the_split_is_checked(tmp_path):
    rows = [
        (f"t{number}", "ab"[number % 2], ("train", "test", "dev", "")[number % 4])
        for number in range(12)
    ]
    write_csv(tmp_path / "items.csv", [("text", "class", "part"), *rows])
    table = Table(
        path="items.csv",
        text="text",
        label="class",
        split="part",
        where={"part": ["train", "test"]},
    )
    samples = table.load(tmp_path)
    assert samples.texts == ["t0", "t1", "t4", "t5", "t8", "t9"]
    assert samples.locations[-1] == "items.csv row 10"
    everything = Table(path="items.csv", text="text", label="class", split="part")
    assert "'dev' in 3 rows, nothing in 3 rows" in problems_of(lambda: everything.load(tmp_path))[0]


def test_parts_may_be_written_in_capitals_and_advice_names_them_as_they_are(tmp_path):
    parts = ("Train", "TEST", "Val")
    rows = [(f"t{number}", "ab"[number % 2], parts[number % 3]) for number in range(12)]
    write_csv(tmp_path / "items.csv", [("text", "class", "part"), *rows])
    keys = {"path": "items.csv", "text": "text", "label": "class", "split": "part"}
    [problem] = problems_of(lambda: Table(**keys).load(tmp_path))
    assert "has 'Val' in 4 rows" in problem
    assert "where: {part: [Train, TEST]}" in problem
    samples = Table(**keys, where={"part": ["Train", "TEST"]}).load(tmp_path)
    assert samples.split == ["train", "test"] * 4


def test_a_sample_is_stratified_and_keeps_rows_whole(tmp_path):
    rows = [(f"text{number}", "ab"[number % 2]) for number in range(40)]
    write_csv(tmp_path / "items.csv", [("text", "class"), *rows])
    samples = Table(path="items.csv", text="text", label="class", sample=10).load(tmp_path)
    assert len(samples) == 10
    assert samples.labels.count("a") == 5
    for location, text, label in zip(samples.locations, samples.texts, samples.labels, strict=True):
        assert rows[int(location.split()[-1]) - 1] == (text, label)
    other = Table(path="items.csv", text="text", label="class", sample=10, sample_seed=1).load(
        tmp_path
    )
    assert other.texts != samples.texts


def join_example(folder, terms, on=("term", "label")):
    write_csv(
        folder / "items.csv",
        [
            ("term", "label", "text"),
            ("cruiser", "ship", "s"),
            ("cruiser", "car", "c"),
            ("cat", "cat", "k"),
            ("", "cat", "n"),
        ],
    )
    write_csv(folder / "more" / "terms.csv", [("term", "label", "gloss", "synset"), *terms])
    return Table(path="items.csv", text="gloss", label="label", group=["synset", "term"],
                 join={"path": "more/terms.csv", "on": list(on)})


def test_a_joined_table_adds_columns_to_the_rows_with_the_same_key(tmp_path):
    table = join_example(
        tmp_path,
        [
            ("cruiser", "car", "police car", "c1"),
            ("cruiser", "ship", "warship", "s1"),
            ("dog", "dog", "pet", "d1"),
            ("", "cat", "no key", "n"),
            ("", "cat", "", ""),
        ],
    )
    samples = table.load(tmp_path)
    assert samples.texts == ["warship", "police car", None, None]
    assert samples.groups == {
        "synset": ["s1", "c1", None, None],
        "term": ["cruiser", "cruiser", "cat", None],
    }


def test_rows_that_a_join_leaves_without_a_match_are_counted_with_examples(tmp_path):
    terms = [("cruiser", "car", "police car", "c1"), ("cruiser", "ship", "warship", "s1")]
    table = join_example(tmp_path, terms)
    assert table.load(tmp_path).notes == [
        "join: 2 of 4 rows of items.csv agree with no row of more/terms.csv, so that they lack its "
        "columns, such as those of 'cat, cat', 'nothing, cat'"
    ]
    assert not replace(table, where={"term": "cruiser"}).load(tmp_path).notes


def test_keys_of_a_join_agree_where_they_look_the_same(tmp_path):
    write_csv(tmp_path / "items.csv", [("name", "label"), ("caf\u00e9", "a"), ("oak leaf", "b")])
    rows = [("cafe\u0301", "hot"), ("oak\u00a0leaf", "green")]
    write_csv(tmp_path / "texts.csv", [("name", "text"), *rows])
    table = Table(
        path="items.csv", text="text", label="label", join={"path": "texts.csv", "on": "name"}
    )
    assert table.load(tmp_path).texts == ["hot", "green"]
    write_csv(tmp_path / "texts.csv", [("name", "text"), *rows, ("caf\u00e9", "cold")])
    assert "row 3" in problems_of(lambda: table.load(tmp_path))[0]


def test_a_key_that_stands_twice_in_the_joined_table_is_a_problem(tmp_path):
    table = join_example(
        tmp_path, [("cat", "cat", "pet", "1"), ("cat", "cat", "beast", "2"), ("", "cat", "", "")]
    )
    assert problems_of(lambda: table.load(tmp_path)) == [
        "terms.csv row 2: cat, cat stands in row 1 too, but term, label must tell the rows apart"]


def test_a_join_without_matches_or_with_a_column_in_both_tables_is_a_problem(tmp_path):
    table = join_example(tmp_path, [("fish", "fish", "animal", "1")])
    assert "no row of items.csv agrees" in problems_of(lambda: table.load(tmp_path))[0]
    table = join_example(tmp_path, [("cat", "cat", "pet", "1")], on=["term"])
    assert problems_of(lambda: table.load(tmp_path)) == [
        "label: column 'label' stands in items.csv and in terms.csv; rename one"]
    table = join_example(tmp_path, [("cat", "cat", "pet", "1")], on=["term", "lable"])
    assert len(problems_of(lambda: table.load(tmp_path))) == 2


def test_missing_files_are_reported_together(tmp_path):
    write_csv(tmp_path / "items.csv", [("text", "class"), ("a", "b")])
    table = Table(
        path="item.csv", text="text", label="class", join={"path": "terms.csv", "on": "text"}
    )
    problems = problems_of(lambda: table.load(tmp_path))
    assert [problem.split(":")[0] for problem in problems] == ["path", "join path"]
    assert "did you mean 'items.csv'?" in problems[0]


@pytest.mark.parametrize(("name", "content", "parts"), [
    (
        "items.csv",
        b"text,class\na,b\nc\nd,e\nf,g,h\n",
        ["row 2: 1 fields where the header has 2", "row 4: 3 fields"],
    ),
    ("items.csv", b"", ["is empty"]),
    ("items.csv", b"text,class\n", ["holds no rows"]),
    ("items.csv", b"text,class,text\na,b,c\n", ["more than one column 'text'"]),
    ("items.csv", b"text,class\na,b\n\xe9,c\n", ["line 3: must be UTF-8", "0xe9"]),
    (
        "items.jsonl",
        b'{"text": ["a"], "class": 1}\n[1]\n{"text": \n{"text": "\\ud800", "class": 1}\n',
        [
            "row 1: 'text' must be text",
            "row 2: every line must be a JSON object",
            "row 3: every line must",
            "row 4: 'text' holds half",
        ],
    ),
    ("items.parquet", b"PAR1 not really", ["cannot be read"]),
    ("items.xlsx", b"", ["'.xlsx' is none of the known ones", ".parquet"]),
])
def test_a_damaged_table_is_told_with_every_bad_row(name, content, parts, tmp_path):
    (tmp_path / name).write_bytes(content)
    problems = problems_of(lambda: Table(path=name, text="text", label="class").load(tmp_path))
    said = "\n".join(problems)
    assert all(part in said for part in parts), said
    assert name in said


def test_a_long_list_of_bad_rows_is_cut_with_the_number_left_out(tmp_path):
    (tmp_path / "items.csv").write_text("text,class\n" + "x\n" * 30)
    problems = problems_of(
        lambda: Table(path="items.csv", text="text", label="class").load(tmp_path)
    )
    assert len(problems) == 13
    assert problems[-1] == "... and 18 more such rows"


@pytest.mark.skipif(
    not (SHARED / "cifar10.parquet").is_file(), reason="needs ../shared/data/cifar10.parquet"
)
def test_cifar10_with_its_glosses_reads_as_one_table():
    table = Table(
        path="cifar10.parquet",
        image="image",
        text="gloss",
        label="label",
        id="filename",
        split="split",
        group=["synset", "term"],
        where={"split": "test"},
        sample=200,
        join={"path": "cifar10_terms.csv", "on": ["term", "label"]},
    )
    samples = table.load(SHARED)
    assert {label: samples.labels.count(label) for label in samples.labels} == dict.fromkeys(
        samples.labels, 20
    )
    assert None not in samples.texts
    assert samples.group == "synset"
    assert set(samples.split) == {"test"}
    assert samples.pictures[0].read().startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["plain", "data"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_pictures_as_base64_are_told_in_few_words(kind, form, tmp_path, store):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    Image.fromarray(noise).save(file, kind)
    text = base64.b64encode(file.getvalue()).decode()
    text = text if form == "plain" else f"data:image/{kind.lower()};base64,{text}"
    write_csv(tmp_path / "items.csv", [("p", "c"), *((text, "ab"[row % 2]) for row in range(8))])
    samples = Table(path="items.csv", image="p", label="c").load(tmp_path)
    with pytest.raises(DatasetError) as caught:
        build(samples, ["image"], RowRules(), store)
    assert len(str(caught.value)) < 8 * 250
    assert all("this is base64 text, not a path" in line for line in caught.value.problems)
    assert f"{text[:20]}... of {len(text):,} characters" in caught.value.problems[0]


def test_a_text_that_is_longer_than_any_path_is_told_in_few_words(tmp_path, store):
    rows = [("a, b!" * 100_000, "ab"[row % 2]) for row in range(8)]
    write_csv(tmp_path / "items.csv", [("p", "c"), *rows])
    samples = Table(path="items.csv", image="p", label="c").load(tmp_path)
    with pytest.raises(DatasetError, match="no path is as long") as caught:
        build(samples, ["image"], RowRules(), store)
    assert len(str(caught.value)) < 8 * 250


def test_rows_can_be_broken_down_by_columns_and_say_what_recurs(tmp_path):
    rows = [["why", "x", "k", ""], ["who", "y", "l", "z"]]
    write(tmp_path / "items.csv", ["q", "a", "kind", "by"], rows)
    keys = {"path": "items.csv", "text": "q", "label": "a"}
    samples = Table(**keys, breakdown=["kind", "by"], recurring="text").load(tmp_path)
    assert samples.breakdown == {"kind": ["k", "l"], "by": [None, "z"]}
    assert samples.recurring == {"text"}
    assert samples.groups == {}
    both = Table(**keys, recurring=["image", "text"]).load(tmp_path)
    assert both.recurring == {"image", "text"}
    assert Table(**keys).load(tmp_path).recurring == frozenset()
    assert problems_of(lambda: Table(**keys, breakdown="knd").load(tmp_path)) == [
        "breakdown: items.csv has no column 'knd'; did you mean 'kind'? (columns: a, by, kind, q)"
    ]


def test_a_picture_is_called_as_the_table_calls_it_and_a_missing_one_says_from_where(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "broken.png").write_bytes(b"no picture")
    rows = [["photo", "kind"], ["broken.png", "a"], ["gone/1.png", "b"]]
    write_csv(tmp_path / "shop" / "items.csv", rows)
    samples = Table(path="shop/items.csv", image="photo", label="kind").load(tmp_path)
    with pytest.raises(DatasetError) as error:
        build(samples, ["image"], RowRules(smallest_class=1), FolderStore(tmp_path / "store"))
    assert error.value.problems[:2] == (
        "items.csv row 1: picture broken.png: not a picture in a known format",
        "items.csv row 2: picture gone/1.png: No such file or directory (the path counts from "
        f"{tmp_path / 'shop'})",
    )


@pytest.mark.parametrize("given", ["", "/nowhere/a.png", "~/a.png"])
def test_a_path_that_counts_from_no_folder_is_told_as_it_is(given):
    with pytest.raises(FileNotFoundError) as error:
        FilePicture(Path("/nowhere/a.png"), given).read()
    assert error.value.strerror == "No such file or directory"
