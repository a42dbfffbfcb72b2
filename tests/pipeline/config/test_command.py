"""`python -m pipeline.config`: mistakes for people and programs, and the schema."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pipeline.config.__main__ import main
from pipeline.config.plugins.active import activate
from tests.support.extending import write_own

WRONG = """\
data: {source: openmoji}
text:
  - bow
  - tfidf: {ngrams: [1, 2], stemm: true}
  - word2vec: {size: 0}
fusion: [text_onli]
metric: acuracy
plugins: [nowhere]
"""


@pytest.fixture
def path(tmp_path):
    yield tmp_path / "grid.yaml"
    activate((), tmp_path)


def test_mistakes_as_json_have_line_column_kind_and_nearest_value(path, capsys):
    path.write_text(WRONG)
    assert main([str(path), "--json"]) == 2
    mistakes = json.loads(capsys.readouterr().out)
    assert {mistake["file"] for mistake in mistakes} == {str(path)}
    shown = {
        mistake["key"]: [mistake[name] for name in ("line", "column", "rule", "nearest")]
        for mistake in mistakes
    }
    assert shown == {
        "plugins[0]": [8, 11, "plugin", None],
        "text[1].tfidf.stemm": [4, 29, "unknown_key", "stem"],
        "text[2].word2vec.size": [5, 16, "value", None],
        "fusion[0]": [6, 10, "unknown_name", "text_only"],
        "metric": [7, 1, "value", "accuracy"],
    }
    assert all(mistake["message"] for mistake in mistakes)


@pytest.mark.parametrize(("text", "line", "column"), [
    ("a: [", 1, 5), ("name: x\n- y\n", 2, 1), ("data: openmoji\ndata: x\n", 2, 1)
])  # fmt: skip
def test_a_file_that_is_no_grid_is_a_mistake_with_a_place(path, capsys, text, line, column):
    path.write_text(text)
    assert main([str(path), "--json"]) == 2
    (mistake,) = json.loads(capsys.readouterr().out)
    assert [mistake[name] for name in ("rule", "line", "column")] == ["yaml", line, column]


def test_a_sound_grid_has_none_and_people_get_words(path, capsys):
    path.write_text("data: {source: openmoji}\ntext: [bow]\nfusion: [text_only]\n")
    assert main([str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: no mistakes\n"
    path.write_text("data: {source: openmoji}\nfusion: [text_onli]\n")
    assert main([str(path)]) == 2
    assert "grid.yaml:2: fusion[0]: unknown fusion" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])


def test_the_schema_of_a_grid_knows_its_plugins(tmp_path, capsys):
    grid = {"plugins": ["my_parts"], "data": "openmoji", "image": [{"brightness": {"bins": 4}}]}
    validators = []
    try:
        for arguments in (["--schema"], ["--schema", str(write_own(tmp_path))]):
            assert main(arguments) == 0
            made = json.loads(capsys.readouterr().out)
            validators.append(jsonschema.Draft202012Validator(made))
    finally:
        activate((), tmp_path)
    assert [validator.is_valid(grid) for validator in validators] == [False, True]
    assert not validators[1].is_valid({**grid, "image": [{"brightness": {"bins": 1}}]})
    (tmp_path / "my_parts.py").write_text("1 / 0")
    assert main(["--schema", str(tmp_path / "grid.yaml")]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err
