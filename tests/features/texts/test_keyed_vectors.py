"""gensim's KeyedVectors are read without gensim, and a pickle that would run code is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors, Word2Vec
from gensim.models.fasttext import load_facebook_vectors, save_facebook_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.texts.keyed_vectors import read_keyed_vectors
from features.texts.word_vectors import from_file

VALUES = np.array([[1, 0, 2], [0, -1, 0.5]], dtype=np.float32)


def keyed() -> KeyedVectors:
    vectors = KeyedVectors(vector_size=3)
    vectors.add_vectors(["red", "für"], VALUES)
    return vectors


class Evil:
    """Once it is unpickled, there is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("apart", [False, True])
def test_words_and_vectors_of_every_protocol(tmp_path: Path, protocol: int, apart: bool) -> None:
    path = tmp_path / "saved.kv"
    keyed().save(str(path), sep_limit=0 if apart else 2**30, pickle_protocol=protocol)
    assert len(list(tmp_path.iterdir())) == 1 + apart
    rows, vectors = read_keyed_vectors(path)
    assert rows == {"red": 0, "für": 1}
    assert vectors.tolist() == VALUES.tolist()


def test_arrays_in_the_order_of_fortran(tmp_path: Path) -> None:
    vectors = keyed()
    vectors.vectors = np.asfortranarray(VALUES)
    for protocol in (4, 5):
        path = tmp_path / f"{protocol}.kv"
        vectors.save(str(path), pickle_protocol=protocol)
        assert read_keyed_vectors(path)[1].tolist() == VALUES.tolist()


@pytest.mark.parametrize("apart", [False, True])
def test_a_whole_model_has_the_vectors_of_its_words(tmp_path: Path, apart: bool) -> None:
    model = Word2Vec([["red", "car"]] * 3, vector_size=4, min_count=1, workers=1)
    model.save(str(tmp_path / "whole"), **({"sep_limit": 0} if apart else {}))
    rows, vectors = read_keyed_vectors(tmp_path / "whole")
    assert rows == model.wv.key_to_index
    np.testing.assert_array_equal(vectors, model.wv.vectors)


@pytest.mark.parametrize(
    "attributes",
    [
        {"index2word": ["red", "für"], "syn0": VALUES},
        {"index_to_key": ["red", "für"], "vectors": VALUES},
    ],
)
def test_names_of_older_versions(tmp_path: Path, attributes: dict[str, Any]) -> None:
    vectors = keyed()
    vars(vectors).clear()
    vars(vectors).update(attributes)
    (tmp_path / "old.kv").write_bytes(pickle.dumps(vectors, protocol=2))
    rows, values = read_keyed_vectors(tmp_path / "old.kv")
    assert rows == {"red": 0, "für": 1}
    assert values.tolist() == VALUES.tolist()


@pytest.mark.parametrize("where", ["alone", "attribute", "word", "array"])
def test_a_pickle_that_would_run_code_is_refused_by_name(tmp_path: Path, where: str) -> None:
    evil, vectors = Evil(tmp_path / "ran"), keyed()
    if where == "attribute":
        vectors.lifecycle_events = [evil]
    elif where == "word":
        vectors.key_to_index = {"red": 0, "für": evil}
    elif where == "array":
        vectors.vectors = np.array([[evil]], dtype=object)
    path = tmp_path / "glove.txt"
    path.write_bytes(pickle.dumps(evil if where == "alone" else vectors))
    with pytest.raises(ValueError, match=r"glove\.txt is a pickle .* names '\w+\.mkdir'.*KeyedV"):
        from_file(path)
    assert not (tmp_path / "ran").exists()


def sealed(*parts: bytes) -> bytes:
    """A pickle of protocol 4."""
    return b"\x80\x04" + b"".join(parts) + b"."


HOSTILE = {
    "a method of what is held": sealed(b"cgensim.models.keyedvectors\nKeyedVectors.__init__\n"),
    "a function of ours": sealed(b"cfeatures.texts.keyed_vectors\nMADE\n"),
    "a function of numpy": sealed(b"cnumpy\nload\n"),
    "eval": sealed(b"cbuiltins\neval\n"),
    "an extension": sealed(b"\x82\x01"),
    "a name from elsewhere": sealed(b"Pelsewhere\n"),
    "what stands for numpy, changed": sealed(
        b"cnumpy\ndtype\n", b"N}X\x05\x00\x00\x00_makeI1\ns\x86b"
    ),
    "no vectors": sealed(b"cgensim.models.keyedvectors\nKeyedVectors\n)\x81"),
    "a number": sealed(b"I1\n"),
    "a class": sealed(b"cgensim.models.keyedvectors\nKeyedVectors\n"),
    "more memory than there is": sealed(b"]r\xf0\xff\xff\x7f"),
    "more bytes than there are": sealed(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc"),
    "cut off": sealed(b"cgensim.models.key")[:-1],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_no_keyed_vectors_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.kv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file .*hostile\.kv"):
        from_file(path)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"key_to_index": {"red": 2}}, "1 of its 1 words, 'red' for example, have no row among"),
        ({"key_to_index": {"red": -1}}, "'red' for example, have no row"),
        ({"key_to_index": {"red": "0"}}, "not all texts with a row"),
        ({"key_to_index": {7: 0}}, "not all texts with a row"),
        ({"key_to_index": None, "index_to_key": [["red"]]}, "no word vectors that can be read"),
        ({"vectors": np.zeros(3)}, r"its vectors are float64 \(3,\)"),
        ({"vectors": np.array([["a"], ["b"]], dtype=object)}, "something else than numbers"),
        ({"vectors": None}, "has no vectors of whole words"),
    ],
)
def test_words_without_vectors_are_said(
    tmp_path: Path, attributes: dict[str, Any], message: str
) -> None:
    vectors = keyed()
    vars(vectors).update(attributes)
    path = tmp_path / "odd.kv"
    path.write_bytes(pickle.dumps(vectors))
    with pytest.raises(ValueError, match=rf"odd\.kv.*{message}"):
        from_file(path)


def test_fasttext_is_told_how_to_be_written_and_that_is_read(tmp_path: Path) -> None:
    model = FastText([["red", "car"]] * 3, vector_size=4, min_count=1, bucket=10)
    model.wv.save(str(tmp_path / "fast.kv"))
    with pytest.raises(ValueError, match=r"FastTextKeyedVectors .*KeyedVectors\.load\('FILE'\)"):
        from_file(tmp_path / "fast.kv")
    save_facebook_model(model, str(tmp_path / "fast.bin"))
    with pytest.raises(ValueError, match=r"fast\.bin is a model of fastText.*load_facebook_vec"):
        from_file(tmp_path / "fast.bin")
    for written in (
        KeyedVectors.load(str(tmp_path / "fast.kv")),
        load_facebook_vectors(str(tmp_path / "fast.bin")),
    ):
        written.save_word2vec_format(str(tmp_path / "vectors.bin"), binary=True)
        lookup = from_file(tmp_path / "vectors.bin")
        np.testing.assert_array_equal(
            lookup.take(np.array([lookup.rows["red"]])), model.wv["red"][None]
        )


def test_a_file_of_arrays_that_holds_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "saved.kv"
    keyed().save(str(path), sep_limit=0)
    np.save(
        tmp_path / "saved.kv.vectors.npy",
        np.array([[Evil(tmp_path / "ran")]], dtype=object),
        allow_pickle=True,
    )
    with pytest.raises(ValueError, match=r"saved\.kv holds no word vectors.*objects in dtype"):
        from_file(path)
    assert not (tmp_path / "ran").exists()


def refusal(path: Path) -> str:
    """The file that a refusal names; nothing where the file is read."""
    try:
        lookup = from_file(path)
        lookup.take(np.array(sorted(lookup.rows.values()), dtype=np.int64))
    except ValueError as error:
        return str(path) if str(path) in str(error) else str(error)
    return ""


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damaged_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(pickle.dumps(keyed(), protocol=data.draw(st.sampled_from([2, 4]))))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(1, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"{hash(bytes(content))}.kv"
    path.write_bytes(content)
    assert refusal(path) in ("", str(path))
    path.unlink()
