"""What the pipeline hands to the report beyond scores: costs of every fold, and thumbnails."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.data.build import build
from pipeline.data.card import card
from pipeline.data.row_check import RowRules
from pipeline.data.samples import BytesPicture, Samples
from pipeline.data.thumbnails import thumbnail
from reports.record import RunRecord
from tests.support.samples import png, small_samples
from tests.support.tiny import register, run_grid, write_table


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> RunRecord:
    folder = tmp_path_factory.mktemp("record")
    write_table(folder, 6)
    records: list[RunRecord] = []
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        patch.setattr(
            "reports.page.render.write_report", lambda record, folder: records.append(record)
        )
        assert run_grid(folder) == 0
        assert run_grid(folder) == 0
    first, again = records
    costs = [
        [
            (fold.cell, fold.encode_seconds, fold.feature_bytes, fold.model_bytes)
            for fold in record.folds
        ]
        for record in (first, again)
    ]
    assert costs[0] == costs[1]  # a reused result keeps what it cost
    return first


def test_every_fold_knows_what_it_cost(record):
    by_cell = {fold.cell: fold for fold in record.folds if (fold.repeat, fold.fold) == (0, 0)}
    image, text = (
        by_cell["mean_colour / image_only / logistic"],
        by_cell["bow / text_only / logistic"],
    )
    both = by_cell["mean_colour + bow / concat / logistic"]
    assert image.encode_seconds > 0
    assert text.encode_seconds > 0
    assert both.encode_seconds == pytest.approx(image.encode_seconds + text.encode_seconds)
    assert image.feature_bytes >= 18 * 3 * 4  # 18 distinct pictures, three float32 each
    assert both.feature_bytes == image.feature_bytes + text.feature_bytes
    assert both.model_bytes > 100
    late = by_cell["mean_colour + bow / late(product) / logistic"]
    assert late.model_bytes == image.model_bytes + text.model_bytes
    assert late.encode_seconds == pytest.approx(both.encode_seconds)
    majority = by_cell["majority"]
    assert (majority.encode_seconds, majority.feature_bytes) == (0, 0)


def test_forms_of_one_pass_share_its_seconds(tmp_path, monkeypatch):
    """Attention asks for regions, concat for the mean of the same pass: neither is free."""
    write_table(tmp_path, 6)
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        grid.read_text().replace("majority,", "attention,").replace("[bow]", "[word2vec]")
    )
    register(monkeypatch)
    records: list[RunRecord] = []
    monkeypatch.setattr(
        "reports.page.render.write_report", lambda record, folder: records.append(record)
    )
    assert run_grid(tmp_path) == 0
    costs = {fold.cell: fold.encode_seconds for fold in records[0].folds if fold.fold == 0}
    assert costs["mean_colour + word2vec / attention"] == pytest.approx(
        costs["mean_colour + word2vec / concat / logistic"]
    )


def test_the_card_counts_what_the_report_shows(store):
    samples = small_samples()
    texts = list(samples.texts)
    texts[1], texts[2], texts[35] = "one two", "кошка мурлычет 猫", texts[0]
    pictures = list(samples.pictures)
    pictures[5] = BytesPicture("copy", pictures[4].read())
    pictures[6] = BytesPicture("wide", png(99, size=60))
    changed = replace(samples, texts=texts, pictures=pictures, group="pair")
    facts = card(build(changed, ["image", "text"], RowRules("fail"), store))
    assert facts.pop("writing systems").startswith("Latin 9")
    assert facts == {
        "rows": "36",
        "classes": "3, of 12 to 12 rows",
        "groups": "18 (pair), of up to 2 rows",
        "distinct pictures": "35; 24 x 24 to 60 x 60 pixels, 24 x 24 in the middle",
        "distinct texts": "35; 2 to 5 words, 5 in the middle",
        "duplicate pictures": "2 rows share theirs with another row",
        "duplicate texts": (
            "2 rows share theirs with another row; 2 of them with one that has another class"
        ),
    }


def test_the_card_names_writing_systems_and_survives_empty_data(store):
    texts = ["кошка", "猫と犬", "42 !", None]
    columns = {
        "texts": texts,
        "pictures": [None, None, None, BytesPicture("one", png(1))],
        "groups": {},
        "labels": ["a", "b", "a", "b"],
        "ids": list("wxyz"),
        "locations": list("wxyz"),
    }
    facts = card(build(Samples(**columns), ["image", "text"], RowRules("keep"), store))
    assert facts["writing systems"] == "Cyrillic 62 %, Chinese characters 25 %, Japanese kana 12 %"
    assert facts["distinct pictures"] == "1; 24 x 24 pixels, all of them"
    assert (facts["duplicate texts"], facts["duplicate pictures"]) == ("none", "none")


def test_thumbnails_show_the_row_that_is_asked_for(record):
    row = record.ids.index("id13")  # a car, whose pictures are blue
    picture = Image.open(io.BytesIO(record.thumbnail(row)))
    assert (picture.format, picture.size) == ("JPEG", (24, 24))
    red, green, blue = picture.resize((1, 1)).getpixel((0, 0))
    assert blue > 150 > max(red, green)


def test_a_thumbnail_is_small_and_knows_when_there_is_none(store):
    samples = small_samples(2)
    pictures = [BytesPicture("wide.png", png(0, size=300)), None, *samples.pictures[2:]]
    rules = RowRules("keep")
    built = build(small_samples(2, pictures=pictures), ["image", "text"], rules, store)
    picture = Image.open(io.BytesIO(thumbnail(built, 0)))
    assert max(picture.size) == 160
    assert thumbnail(built, 1) is None
    built.modalities["image"].samples[built.modalities["image"].index[0]].__dict__["data"] = b"gone"
    with pytest.raises(ValueError, match="picture"):
        thumbnail(built, 0)
