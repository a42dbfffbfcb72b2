"""Files of vectors: what their first line may say."""

from __future__ import annotations

import pytest

from features.texts.vector_file import VectorFile


@pytest.mark.parametrize("header", ["-3 2", "0 2", "3 0", "+3 2", "3 -2", "12345678901234567890 2"])
def test_numbers_that_count_nothing_are_no_word_and_its_vector(tmp_path, header):
    path = tmp_path / "vectors.txt"
    path.write_text(f"{header}\na 1 2\nb 3 4\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must be whole numbers from 1 on") as error:
        VectorFile(path)
    assert f"line 1: '{header}'" in str(error.value)


@pytest.mark.parametrize("text", ["2 2\n-3 1 2\n4 3 4\n", "-3 1 2\n4 3 4\n"])
def test_words_may_be_numbers(tmp_path, text):
    path = tmp_path / "vectors.txt"
    path.write_text(text, encoding="utf-8")
    vectors = VectorFile(path)
    assert (list(vectors.rows), vectors.width) == (["-3", "4"], 2)
