"""Searching: words, pictures, both, and the items that are allowed."""

from __future__ import annotations

import pytest

from pipeline.index import main as index_items
from pipeline.recommend import main as recommend
from pipeline.search import main as search
from pipeline.use.index.index import Wish
from pipeline.use.problem import BundleError


def kinds(hits) -> set[str]:
    return {hit.columns["kind"] for hit in hits}


@pytest.mark.parametrize("by", ["picture", "text", "both"])
@pytest.mark.parametrize(("words", "kind"), [("purr meow", "cat"), ("wheel engine", "car")])
def test_words_find_pictures_and_texts(indexed, words, kind, by):
    hits = indexed.index.search(words, wish=Wish(8, by))
    assert len(hits) == 8
    assert kinds(hits) == {kind}
    assert all(-1.0001 <= hit.score <= 1.0001 for hit in hits)
    assert set(hits[0].cosines) == ({"picture", "text"} if by == "both" else {by})


def test_an_items_own_picture_finds_it_first_with_cosine_1(indexed):
    (first, *_) = indexed.index.search(
        "", [indexed.table.parent / "7.png"], Wish(3, "picture")
    )
    assert (first.id, round(first.score, 4)) == ("id7", 1.0)
    assert first.thumbnail.startswith(b"\xff\xd8"), "a JPEG file"


def test_what_is_taken_away_does_not_come(indexed):
    assert kinds(indexed.index.search("purr bark", wish=Wish(4, "text"))) == {"cat", "dog"}
    assert kinds(indexed.index.search("purr bark - bark", wish=Wish(4, "text"))) == {"cat"}


def test_words_and_a_picture_meet_in_the_shared_space(indexed, monkeypatch):
    monkeypatch.chdir(indexed.table.parent)
    hits = indexed.index.search("meow + 3.png", wish=Wish(5))
    assert kinds(hits) == {"cat"}
    assert set(hits[0].cosines) == {"picture", "text"}


def test_words_that_the_model_does_not_know_are_told(indexed, capsys):
    assert indexed.index.search("zzz purr").note == ""
    assert indexed.index.search('"zzz 日本語" + purr').note == (
        "the model knows no word of “zzz 日本語”: what is found says nothing of it"
    )
    assert search([str(indexed.folder), "zzz - yyy"]) == 0
    said = capsys.readouterr().err
    assert "the model knows no word of “zzz” and “yyy”: what is found says nothing of it" in said


def test_conditions_leave_items_out(indexed):
    index = indexed.index
    assert kinds(index.search("purr", wish=Wish(5, where=(("kind", "dog"),)))) == {"dog"}
    assert "cat" not in kinds(index.search("purr", wish=Wish(50, where=(("kind!", "cat"),))))
    with pytest.raises(BundleError) as error:
        index.search("purr", wish=Wish(where=(("kin", "dog"), ("kind", "dag"))))
    lines = str(error.value).splitlines()
    assert "no column 'kin'; did you mean 'kind'?" in lines[0]
    assert lines[1] == "no item has kind=dag; nearest: dog"


def test_the_command_prints_a_table_json_and_a_page(indexed, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert search([str(indexed.folder), "purr <b>", "-k", "2", "--html", str(page)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["id", "score", "picture", "text", "text"]
    assert len(table) == 4
    html = page.read_text()
    assert html.count("data:image/jpeg;base64,") == 2
    assert "purr &lt;b&gt;" in html
    assert html.count("<main") == 1  # what a screen reader jumps to
    assert search([str(indexed.folder), "purr", "-k", "2", "--json"]) == 0
    assert capsys.readouterr().out.count('"kind": "cat"') == 2


def test_approximate_search_says_so_and_exact_search_does_not(indexed, tmp_path, capsys):
    folder, page = str(tmp_path / "index"), tmp_path / "page.html"
    made = [str(indexed.model), str(indexed.table), "-o", folder, "--approximate-above", "50"]
    assert index_items(made) == 0
    capsys.readouterr()
    answers = []
    for options in ([], ["--exact"], ["--where", "kind=cat"]):
        command = [folder, "purr", "-k", "5", "--json", "--html", str(page), *options]
        assert search(command) == 0
        streams = capsys.readouterr()
        is_approximate = not options
        assert ("approximate search (FAISS): recall@10" in streams.err) == is_approximate
        assert ("Approximate search (FAISS): recall@10" in page.read_text()) == is_approximate
        answers.append(streams.out)
    assert answers == [answers[1]] * 3, "all lists are looked at, and cats are what is nearest"
    for options, is_approximate in (([], True), (["--exact"], False), (["--apart", "kind"], False)):
        assert recommend([folder, "--item", "id3", "-k", "5", *options]) == 0
        assert ("approximate search" in capsys.readouterr().err) == is_approximate


def test_the_command_says_what_cannot_be_asked(indexed, tmp_path, capsys):
    assert search([str(indexed.folder)]) == 2
    assert "nothing is asked" in capsys.readouterr().err
    assert search([str(tmp_path), "purr"]) == 2
    assert "no index" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        search([str(indexed.folder), "purr", "--where", "kind"])
    assert "a column and a value like brand=x" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "reason"), [
    ("items.csv", "a file that ends in .html"),
    ("folder.html", "a file that ends in .html"),
    ("nowhere/page.html", "there is no folder"),
])
def test_no_other_file_is_overwritten_by_a_page(indexed, tmp_path, name, reason, capsys):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "items.csv").write_text("precious")
    with pytest.raises(SystemExit):
        search([str(indexed.folder), "purr", "--html", str(tmp_path / name)])
    assert reason in capsys.readouterr().err
    assert (tmp_path / "items.csv").read_text() == "precious"
