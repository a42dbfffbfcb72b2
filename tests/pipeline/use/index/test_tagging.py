"""Tags: by words, by what an index's items have, by a bundle."""

from __future__ import annotations

import json

import pytest

from pipeline.tag import main as tag


@pytest.fixture
def labels(tmp_path) -> str:
    path = tmp_path / "labels.txt"
    path.write_text("purr meow\nbark fetch\nwheel engine\n\n")
    return str(path)


def tags(capsys) -> dict[str, list[str]]:
    lines = capsys.readouterr().out.splitlines()
    return {
        (row := json.loads(line))["picture"].rpartition("/")[2]: list(row["tags"])
        for line in lines
    }


def test_words_tag_pictures(indexed, labels, capsys):
    pictures = [str(indexed.table.parent / f"{row}.png") for row in range(0, 60, 2)]
    assert tag([str(indexed.folder), *pictures, "--labels", labels, "--json"]) == 0
    streams = capsys.readouterr()
    assert "threshold learned from 60 items whose text says a label; on 15 items left out" in (
        streams.err
    )
    rows = [json.loads(line) for line in streams.out.splitlines()]
    expected = ["purr meow"] * 10 + ["bark fetch"] * 10 + ["wheel engine"] * 10
    firsts = [next(iter(row["tags"]), "") for row in rows]
    right = [first == label for first, label in zip(firsts, expected, strict=True)]
    assert sum(right) >= 20
    assert sum(map(bool, firsts)) <= sum(right) + 1, "others have no tag, rather than a wrong one"


def test_tags_of_a_column_are_learned(indexed, capsys):
    pictures = [str(indexed.table.parent / f"{row}.png") for row in (2, 30, 55)]
    assert tag([str(indexed.folder), *pictures, "--column", "tags", "--json"]) == 0
    streams = capsys.readouterr()
    assert "learned from 60 items with 5 tags" in streams.err
    rows = [json.loads(line) for line in streams.out.splitlines()]
    assert [row["tags"].keys() & {"cat", "dog", "car"} for row in rows] == [
        {"cat"}, {"dog"}, {"car"}]


def test_a_bundle_tags_with_its_classes(indexed, capsys):
    picture = str(indexed.table.parent / "2.png")
    assert tag([str(indexed.model), picture, "--text", "purr meow", "--json"]) == 0
    assert "cat" in tags(capsys)["2.png"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "give --labels FILE or --column COLUMN"),
        (["--column", "kin"], "no column 'kin'; did you mean 'kind'?"),
        (["--column", "sku"], "0 tags that 8 items have"),
        (["--labels", "none.txt"], "labels none.txt cannot be read"),
    ],
)
def test_what_cannot_be_tagged_is_said(indexed, options, reason, capsys):
    picture = str(indexed.table.parent / "2.png")
    assert tag([str(indexed.folder), picture, *options]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(("content", "reason"), [
    (b"caf\xe9\nbar\n", "line 1: must be UTF-8 text"), (None, "is not a regular file"),
])
def test_files_that_hold_no_labels_are_said(indexed, tmp_path, content, reason, capsys):
    path = tmp_path / "labels.txt"
    path.mkdir() if content is None else path.write_bytes(content)
    assert tag([str(indexed.folder), str(indexed.table.parent / "0.png"), "--labels",
                str(path)]) == 2
    assert reason in capsys.readouterr().err


def test_tags_without_a_sign_between_them_are_refused(indexed, capsys):
    with pytest.raises(SystemExit):
        tag([str(indexed.folder), "0.png", "--column", "kind", "--separator", ""])
    assert "one sign or more, like |" in capsys.readouterr().err
