"""CLIP and its like: both halves are the library's own, in one space, whatever stands beside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.encoders.clip import CLIPImage, CLIPText
from features.encoders.sentence_bert import SentenceBert
from features.networks.inference.towers import picture_tower
from features.pictures.decoding import decode
from features.texts.sentence_models import loaded
from tests.support.picture_networks import photographs
from tests.support.random_pair import PATCH, SIDE, TOKENS, WIDTH, random_pair, random_siglip
from tests.support.random_sentences import random_sentence_model

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["a red dog", "", "a house over a house", "红色 汽车", "dog " * 100]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(random_pair(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(random_siglip(tmp_path_factory.mktemp("siglip")))


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return photographs()


@pytest.fixture(autouse=True)
def nothing_in_memory() -> Iterator[None]:
    """Folders that tests change are read anew."""
    yield
    loaded.cache_clear()
    picture_tower.cache_clear()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_pictures_are_as_the_library_has_them(
    kind: str, request: pytest.FixtureRequest, pictures: list[bytes]
) -> None:
    folder = request.getfixturevalue(kind)
    vectors = CLIPImage(model=folder).transform(pictures).array()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    net = loaded(Path(folder), None, "float32")
    expected = net.encode([decode(picture) for picture in pictures], normalize_embeddings=True)
    assert (vectors * expected).sum(axis=1).min() > 0.9995
    # pictures differ by more than that: a constant would not pass
    assert (vectors @ vectors.T).min() < 0.999


def test_a_folder_as_the_library_s_own_models_lie_on_the_hub_is_the_same(
    clip: str, tmp_path: Path, pictures: list[bytes]
) -> None:
    """In a part of its own, of a class of its own, and with settings from before 2022."""
    part = tmp_path / "0_CLIPModel"
    shutil.copytree(clip, part)
    module = {"idx": 0, "name": "0", "path": part.name,
              "type": "sentence_transformers.models.CLIPModel"}
    (tmp_path / "modules.json").write_text(json.dumps([module]))
    settings = json.loads((part / "processor_config.json").read_text())["image_processor"]
    (part / "processor_config.json").unlink()
    old = {"feature_extractor_type": "CLIPFeatureExtractor", "crop_size": SIDE, "size": SIDE}
    plain = {name: settings[name] for name in ("image_mean", "image_std", "resample")}
    (part / "preprocessor_config.json").write_text(json.dumps({**plain, **old}))
    for half, samples in ((CLIPImage, pictures), (CLIPText, TEXTS)):
        packed = half(model=str(tmp_path))
        assert packed.identity()["weights"]
        np.testing.assert_allclose(
            packed.transform(samples).array(), half(model=clip).transform(samples).array(),
            atol=1e-6,
        )


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_texts_are_as_the_network_has_them(kind: str, request: pytest.FixtureRequest) -> None:
    from transformers import AutoModel, AutoProcessor

    folder = request.getfixturevalue(kind)
    network, processor = AutoModel.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    # SigLIP reads the last position, and was trained with texts of the full length alone.
    padding = "max_length" if kind == "siglip" else True
    given = processor(text=TEXTS, padding=padding, truncation=True, return_tensors="pt")
    expected = network.get_text_features(**given).pooler_output.detach().numpy()
    free = CLIPText(model=folder, normalise=False).transform(TEXTS).array()
    np.testing.assert_allclose(free, expected, atol=1e-5)
    scaled = CLIPText(model=folder).transform(TEXTS).array()
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(scaled, expected / lengths, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_sample_has_the_same_bits_in_any_company(
    kind: str, request: pytest.FixtureRequest, pictures: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = request.getfixturevalue(kind)
    image, text = CLIPImage(model=folder), CLIPText(model=folder)
    monkeypatch.setattr(image._tower(), "batch_size", 3)
    for encoder, samples in ((image, pictures), (text, TEXTS)):
        whole = encoder.transform(samples).array()
        order = np.random.default_rng(0).permutation(len(samples))
        shuffled = encoder.transform([samples[row] for row in order]).array()
        np.testing.assert_array_equal(shuffled, whole[order])
        for row, sample in enumerate(samples):
            np.testing.assert_array_equal(encoder.transform([sample]).array()[0], whole[row])


def test_what_is_wanted_soon_is_not_filled_up_and_nearly_the_same(
    clip: str, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, soon = CLIPImage(model=clip), CLIPImage(model=clip)
    soon.exact = False
    expected = exact.transform(pictures[:2]).array()
    tower, given = exact._tower(), []
    features = tower.features
    monkeypatch.setattr(
        tower, "features", lambda pixels, outputs: given.append(len(pixels))
        or features(pixels, outputs)
    )
    np.testing.assert_allclose(soon.transform(pictures[:2]).array(), expected, atol=1e-5)
    exact.transform(pictures[:2])
    assert given == [2, tower.batch_size]
    assert tower.batch_size > 2


def test_both_halves_of_a_model_share_a_space_and_no_others(clip: str, siglip: str) -> None:
    assert CLIPImage(model=clip).shared_space == CLIPText(model=clip).shared_space
    assert CLIPImage(model=clip).shared_space != CLIPText(model=siglip).shared_space
    assert CLIPImage(model=clip, precision="bfloat16").shared_space == clip
    assert SentenceBert().shared_space is None
    plain = CLIPImage().shared_space
    assert CLIPText(model="sentence-transformers/clip-ViT-B-32").shared_space == plain
    assert CLIPText(model="clip-ViT-B-32-multilingual-v1").shared_space == plain


def test_halves_are_of_equal_width_and_of_one_set_of_weights(
    clip: str, pictures: list[bytes]
) -> None:
    image, text = CLIPImage(model=clip), CLIPText(model=clip)
    assert image.transform(pictures[:1]).width == text.transform(TEXTS[:1]).width == WIDTH
    assert image.identity()["weights"] == text.identity()["weights"]


def test_regions_are_the_patches_and_tokens_the_words(clip: str, pictures: list[bytes]) -> None:
    regions, mask = CLIPImage(model=clip, output="regions").transform(pictures[:2]).sequence()
    assert regions.shape[:2] == (2, (SIDE // PATCH) ** 2)
    assert mask.all()
    encoder = CLIPText(model=clip, output="tokens")
    tokens, mask = encoder.transform(TEXTS).sequence()
    assert mask.sum(axis=1).tolist() == list(map(len, encoder.tokens(TEXTS)))
    assert encoder.tokens(["red dog"])[0][:2] == ["<|startoftext|>", "red</w>"]
    assert tokens.shape[1] == TOKENS
    assert CLIPImage(model=clip).shown(pictures[:2]).shape == (2, SIDE, SIDE, 3)


def test_a_text_s_vector_is_projected_from_that_of_its_end(clip: str) -> None:
    """So CLIP has it: the tokens that come out are those that the text's vector is made of."""
    from transformers import AutoModel

    network = AutoModel.from_pretrained(clip)
    values, mask = CLIPText(model=clip, output="tokens").transform(TEXTS[:3]).sequence()
    ends = values[np.arange(3), mask.sum(axis=1) - 1]
    weight = network.text_projection.weight.detach().numpy()
    free = CLIPText(model=clip, normalise=False).transform(TEXTS[:3]).array()
    np.testing.assert_allclose(ends @ weight.T, free, atol=1e-5)


def test_long_texts_are_cut_off_and_counted(clip: str, tmp_path: Path) -> None:
    assert CLIPText(model=clip).counts(TEXTS) == {"empty texts": 1, "texts cut off": 1}
    assert CLIPText(model=clip, max_tokens=4).counts(["red dog", "red"])["texts cut off"] == 1
    # A tokeniser that does not say how much the network reads: the network does.
    folder = tmp_path / "silent"
    shutil.copytree(clip, folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["model_max_length"]
    path.write_text(json.dumps(settings))
    assert CLIPText(model=str(folder)).counts(TEXTS)["texts cut off"] == 1
    np.testing.assert_array_equal(
        CLIPText(model=str(folder)).transform(TEXTS).array(),
        CLIPText(model=clip).transform(TEXTS).array(),
    )


def test_a_prompt_stands_before_every_text(clip: str) -> None:
    for output in ("sentence", "tokens"):
        prompted = CLIPText(model=clip, prompt="a red ", output=output).transform(["dog"])
        plain = CLIPText(model=clip, output=output).transform(["a red dog"])
        np.testing.assert_allclose(prompted.values, plain.values, atol=1e-6)


def test_bfloat16_is_near_and_another_key(clip: str, pictures: list[bytes]) -> None:
    exact, rounded = CLIPImage(model=clip), CLIPImage(model=clip, precision="bfloat16")
    cosines = (exact.transform(pictures).array() * rounded.transform(pictures).array()).sum(axis=1)
    assert cosines.min() > 0.99
    assert exact.identity() != rounded.identity()


def test_the_identity_changes_with_the_weights(clip: str, tmp_path: Path) -> None:
    other = str(random_pair(tmp_path / "other", seed=1))
    for half in (CLIPImage, CLIPText):
        assert half(model=other).identity() != half(model=clip).identity()


def test_a_model_without_a_half_for_pictures_is_refused(tmp_path: Path) -> None:
    folder = str(random_sentence_model(tmp_path))
    with pytest.raises(ValueError, match="reads no pictures: take a pair such as clip-ViT-B-32"):
        CLIPImage(model=folder).identity()
    with pytest.raises(ValueError, match="has no half that makes one vector of a picture"):
        CLIPImage(model=folder).transform([])


def test_a_preparation_that_is_no_square_of_one_size_is_refused(
    clip: str, tmp_path: Path, pictures: list[bytes]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(clip, folder)
    path = folder / "processor_config.json"
    settings = json.loads(path.read_text())
    settings["image_processor"]["do_center_crop"] = False
    path.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="prepares pictures in a way of its own"):
        CLIPImage(model=str(folder)).transform(pictures)


def test_a_model_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.texts.sentence_models.why_no_hub", lambda: "no network")
    for half in (CLIPImage, CLIPText):
        with pytest.raises(FileNotFoundError) as error:
            half(model="no-such-pair-here").identity()
        said = str(error.value)
        assert said.startswith("model sentence-transformers/no-such-pair-here is neither a folder")
        assert said.endswith("no network")
        assert "\n" not in said


def test_texts_in_another_script_get_the_multilingual_model_named() -> None:
    assert "clip-ViT-B-32-multilingual-v1" in CLIPText().unfit(["红色 汽车"] * 20)
    assert CLIPText(model="clip-ViT-B-32-multilingual-v1").unfit(["红色 汽车"] * 20) is None


@pytest.mark.gpu
def test_a_gpu_gives_the_vectors_of_a_cpu_in_any_company(
    clip: str, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, text = CLIPImage(model=clip), CLIPText(model=clip)
    on_gpu = image.transform(pictures).array(), text.transform(TEXTS).array()
    np.testing.assert_array_equal(image.transform(pictures[2:3]).array(), on_gpu[0][2:3])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    loaded.cache_clear()
    picture_tower.cache_clear()
    np.testing.assert_allclose(image.transform(pictures).array(), on_gpu[0], atol=1e-4)
    np.testing.assert_allclose(text.transform(TEXTS).array(), on_gpu[1], atol=1e-4)
