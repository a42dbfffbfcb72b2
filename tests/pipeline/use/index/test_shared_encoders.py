"""An index whose encoders share a space: words find pictures, and no pairs are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.block import Block
from features.encoders.clip import CLIPImage, CLIPText
from features.networks.inference.towers import picture_tower
from features.texts.sentence_models import loaded
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.shared_space.projections import EncodersSpace
from models.views import Views
from pipeline.index import main as index_items
from pipeline.use.bundle import Bundle
from pipeline.use.fitted import FittedCell, FittedModel, encoded
from pipeline.use.index.index import Index, Wish
from pipeline.use.index.spaces import learned_spaces
from tests.pipeline.use.conftest import write
from tests.support.random_pair import random_pair
from tests.support.samples import COLOURS, png

pytestmark = pytest.mark.usefixtures("one_thread")

PICTURES = [png(row, colour) for row, colour in enumerate(COLOURS)] * 2
TEXTS = ["a red dog", "a green cat", "a blue house"] * 2
LABELS = np.array([0, 1, 2] * 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that took the pair's weights along; the pair itself is gone."""
    folder = tmp_path_factory.mktemp("pair")
    pair = str(random_pair(folder / "pair"))
    encoders = {"image": CLIPImage(model=pair), "text": CLIPText(model=pair)}
    samples = {"image": PICTURES, "text": TEXTS}
    views = Views(**{name: encoded(encoder, samples[name]) for name, encoder in encoders.items()})
    fitted = FittedModel(encoders, Concat(Logistic()).fit(views, LABELS))
    cell = FittedCell((fitted,), None, None, ("cat", "dog", "house"))
    expected = cell.predict_proba(samples)
    Bundle(cell, {}).save(folder / "model", {}, standalone=True)
    shutil.rmtree(folder / "pair")
    loaded.cache_clear()
    picture_tower.cache_clear()
    assert np.array_equal(Bundle.load(folder / "model").predict_proba(PICTURES, TEXTS), expected)
    return folder / "model"


def test_a_bundle_has_the_weights_of_both_halves_once(model: Path) -> None:
    assert len(list((model / "weights").rglob("*.safetensors"))) == 1


def test_words_find_pictures_by_the_cosine_of_both_halves(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for row, (picture, text) in enumerate(zip(PICTURES, TEXTS, strict=True)):
        (tmp_path / f"{row}.png").write_bytes(picture)
        rows.append([f"id{row}", f"{row}.png", text])
    write(tmp_path / "items.csv", [["id", "picture", "text"], *rows])
    columns = ["--image", "picture", "--text", "text"]
    items, folder = str(tmp_path / "items.csv"), str(tmp_path / "i")
    assert index_items([str(model), items, *columns, "-o", folder]) == 0
    said = capsys.readouterr().err
    assert "compared as their encoders give them: they share a space" in said
    assert "fewer than" not in said
    index = Index.load(tmp_path / "i")
    assert isinstance(index.files.spaces.projection, EncodersSpace)
    encoders = index.files.spaces.encoders
    pictures = encoders["image"].transform(PICTURES).array()
    asked = encoders["text"].transform(["a small cat"]).array()[0]
    hits = index.search("a small cat", wish=Wish(6, "picture"))
    assert len(hits) == 6
    for hit in hits:
        assert hit.cosines["picture"] == pytest.approx(pictures[hit.row] @ asked, abs=1e-5)


class InSpace:
    """An encoder that says which space it is in."""

    def __init__(self, space: str | None) -> None:
        self.shared_space = space


@pytest.mark.parametrize(
    ("spaces", "is_shared"),
    [(("a", "a"), True), (("a", "b"), False), ((None, None), False)],
)
def test_only_encoders_of_the_same_space_are_compared_as_they_are(
    spaces: tuple[str | None, str | None], is_shared: bool
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 5)).astype(np.float32)
    views = Views(Block.of(rows + 0.01 * rng.normal(size=rows.shape).astype(np.float32)),
                  Block.of(rows))
    digests = {name: [f"{name} {row}" for row in range(100)] for name in ("image", "text")}
    encoders = dict(zip(("image", "text"), map(InSpace, spaces), strict=True))
    learned, measured = learned_spaces(encoders, views, digests)
    assert isinstance(learned.projection, EncodersSpace) == is_shared
    assert measured.space == type(learned.projection).__name__
    assert measured.pairs == 20
    if is_shared:
        assert measured.text_to_image == measured.image_to_text == 1
