"""The grid file: short forms, all mistakes at once, and a schema that agrees with the reader."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config import __main__ as command
from pipeline.config.cells import build_encoder, expand
from pipeline.config.grid import GridError, Split
from pipeline.config.parse import KEYS, parse_grid, read_grid
from pipeline.config.schema import schema
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS
from pipeline.results.lock import lock_text
from tests.support.paths import ROOT

GRID = {"data": {"source": "table", "path": "a.csv", "text": "t", "label": "l"}, "text": ["bow"],
        "fusion": ["text_only"]}


def grid(**changes):
    return parse_grid({**GRID, **changes}, Path("grid.yaml"))


def problems(**changes) -> tuple[str, ...]:
    with pytest.raises(GridError) as error:
        grid(**changes)
    return error.value.problems


def test_what_is_not_given_is_filled_in():
    filled = grid()
    assert (filled.name, filled.seed, filled.on_bad_rows, filled.metric) == (
        "grid",
        0,
        "fail",
        "balanced_accuracy",
    )
    assert filled.tuning_metric == "log_loss"
    assert filled.split == Split(folds=5, repeats=5, inner=3)
    assert [component.name for component in filled.classifier] == ["logistic"]
    assert filled.classifier[0].candidates == {name: tuple(values) for name, values in
                                              CLASSIFIERS["logistic"].tuned.items()}


@pytest.mark.parametrize("entry", ["tfidf", {"tfidf": None}, {"tfidf": {"ngrams": [1, 2]}},
                                   {"encoder": "tfidf", "ngrams": [1, 2]}])
def test_a_component_may_be_written_in_three_forms(entry):
    (component,) = grid(text=[entry]).text
    assert component.name == "tfidf"
    assert component.parameters == {}
    assert grid(text=entry).text == (component,)


MISTAKEN = """\
nane: x
seed: -1
data: {source: tabel}
split: {folds: 1, fold: 3}
text:
  - bow: {ngram: [1, 2]}
  - tf-idf
  - word2vec:
      size: 0
      algorithm: [cbow, skipgram]
fusion: [text_only, concat]
classifier: {logistic: {C: [1, -1]}}
metric: acuracy
"""


def test_every_mistake_is_reported_at_once_with_line_rule_value_and_nearest_name(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(MISTAKEN)
    with pytest.raises(GridError) as error:
        read_grid(path)
    lines = error.value.problems
    for start, *parts in [
        ("grid.yaml:1: nane:", "unknown key 'nane'", "did you mean 'name'?"),
        ("grid.yaml:2: seed:", "whole number", "-1"),
        ("grid.yaml:3: data.source:", "'tabel'", "did you mean 'table'?"),
        ("grid.yaml:4: split.folds:", "greater than or equal to 2", "1"),
        ("grid.yaml:4: split.fold:", "did you mean 'folds'?"),
        ("grid.yaml:6: text[0].bow.ngram:", "did you mean 'ngrams'?"),
        ("grid.yaml:7: text[1]:", "'tf-idf'", "did you mean 'tfidf'?"),
        ("grid.yaml:9: text[2].word2vec.size:", "greater than or equal to 1", "0"),
        ("grid.yaml:10: text[2].word2vec.algorithm[1]:", "did you mean 'skip_gram'?"),
        ("grid.yaml:12: classifier.logistic.C[1]:", "greater than 0", "-1"),
        ("grid.yaml:13: metric:", "did you mean 'accuracy'?", "'acuracy'"),
    ]:
        (line,) = [line for line in lines if line.startswith(start)] or [
            f"no line for {start}: {lines}"
        ]
        assert all(part in line for part in parts), line
    assert len(lines) == 11


@pytest.mark.parametrize(("text", "words"), [
    ("name: [", "not valid YAML"), ("a: 1\na: 2\n", "not valid YAML"), ("- a\n", "must hold keys"),
    ("", "must hold keys"),
    ("data: !!python/object:os.system {}\nfusion: majority", "os.system is none that a grid has"),
])
def test_a_file_that_is_no_grid_is_said_to_be_none(tmp_path, text, words):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(GridError, match=words):
        read_grid(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_what_is_no_file_is_said_to_be_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        with pytest.raises(GridError, match="cannot be read: is not a regular file"):
            read_grid(path)
    with pytest.raises(GridError, match="no file has a zero character in its name"):
        read_grid(tmp_path / "a\0b.yaml")


TABLE = GRID["data"]


@pytest.mark.parametrize(("changes", "expected"), [
    ({"classifier": {"logistic": {"C": True}}},
     ["classifier.logistic.C: C: value should be a number, and true and false are none, not True"]),
    ({"text": [{"bow": {"ngrams": [True, 2]}}]},
     ["text[0].bow.ngrams: ngrams: value should be a number, and true and false are none, not "
      "[True, 2]"]),
    ({"text": [{"bow": {"ngrams": [1]}}]},
     ["text[0].bow.ngrams[1]: ngrams: needs a value number 2"]),
    ({"split": {"repeats": True}},
     ["split.repeats: value should be a number, and true and false are none (given: True)"]),
    # a type that is this or that is one rule, at the place where the value breaks it
    ({"data": {**TABLE, "text": 1}},
     ["data.text: text: value should be a valid string or a valid list, not 1"]),
    ({"data": {**TABLE, "where": {"a": [1, None]}}},
     ["data.where.a[1]: where: value should be a valid string or a valid integer or a valid "
      "number or a valid boolean, not None"]),
    ({"data": {**TABLE, "join": {"path": "b.csv"}}}, ["data.join.on: join: needs the key 'on'"]),
])
def test_values_of_another_type_are_told_once_each_with_the_rule(changes, expected):
    assert [problem.partition(": ")[2] for problem in problems(**changes)] == expected


def test_a_file_that_is_not_there_or_not_utf8_is_named(tmp_path):
    with pytest.raises(GridError, match=r"none\.yaml:1: cannot be read"):
        read_grid(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(GridError, match="not UTF-8"):
        read_grid(tmp_path / "latin.yaml")


@pytest.mark.parametrize(("run", "words"), [
    ({"engine": "dusk"}, "run.engine: unknown engine 'dusk'; did you mean 'dask'?"),
    ({"engine": ["dask"]}, "run.engine: unknown engine ['dask']; did you mean 'dask'?"),
    ({"adress": "tcp://a:1"}, "run.adress: unknown key 'adress'; did you mean 'address'?"),
    ({"engine": "dask", "address": "a"}, "run.address: "),
    ({"address": "tcp://a:1"}, "run: an address is that of a dask scheduler: say engine: dask"),
    ("dask", "run: "),
])
def test_mistakes_of_where_a_run_computes_are_said_as_all_are(run, words):
    (line,) = problems(run=run)
    assert words in line


def test_where_a_run_computes_is_in_no_grid_that_is_kept():
    elsewhere = grid(run={"engine": "dask", "address": "tcp://a:1"})
    assert (elsewhere.run.engine, elsewhere.run.address) == ("dask", "tcp://a:1")
    assert (grid().run.engine, grid().run.address) == ("processes", None)
    assert lock_text(elsewhere, {}, "") == lock_text(grid(), {}, "")


def test_a_fusion_that_needs_a_modality_the_grid_lacks_is_a_mistake():
    (line,) = problems(fusion=["concat"])
    assert "concat needs image features, but the grid has no 'image' list" in line


def test_the_same_component_twice_is_a_mistake():
    assert "bow is listed twice" in problems(text=["bow", "bow"])[0]
    assert "listed twice" in problems(fusion=["text_only", "text_only"])[0]
    assert "listed twice" in problems(text=["tfidf", {"tfidf": {"ngrams": [1, 2]}}])[0]
    assert (
        "in one list" in problems(classifier=[{"logistic": {"C": 1}}, {"logistic": {"C": 10}}])[0]
    )
    assert (
        len(grid(text=[{"sbert": {"model": "a/mini"}}, {"sbert": {"model": "b/mini"}}]).text) == 2
    )


SETS = {"image": ["cnn"], "text": ["bow", "tfidf", ["tfidf", "bow"]]}


def test_a_list_in_the_list_is_of_encoders_that_cells_use_together():
    both = grid(**SETS, fusion=["concat", "text_only", {"late": {"rule": "stacking"}}])
    cells = {cell.name: cell for cell in expand(both)}
    together = cells["cnn + tfidf+bow / concat / logistic"]
    assert {name: part.label for name, (part, _) in together.encoders().items()} == {
        "image": "cnn", "text": "tfidf", "text_2": "bow"
    }
    assert together.together() == {"text": ("tfidf", "bow")}
    settings = together.settings()
    assert {setting["encoder_shares"] for setting in settings} == {(1.0, 0.5, 0.5)}
    assert len(settings) == len(cells["cnn + bow / concat / logistic"].settings())
    best = next(setting for setting in settings if setting["weight"] == 0.5)
    *_, less, more = together.further(settings, best)
    assert [less["encoder_shares"], more["encoder_shares"]] == [(1, 0.75, 0.25), (1, 0.25, 0.75)]
    assert more not in together.further([*settings, more], best)  # tried by then
    assert not any(
        setting["encoder_shares"] == best["encoder_shares"]
        for setting in together.further(settings, {**best, "classifier__C": 10.0})
    )  # all crossed, and no end
    after = together.further([*settings, more], {**more, "classifier__C": 10.0})
    assert [
        (setting["weight"], setting["classifier__C"])
        for setting in after
        if setting["encoder_shares"] == more["encoder_shares"]
    ] == [(0.5, 30.0)]  # 3.0 is tried
    assert "tfidf+bow / text_only / logistic" in cells
    late = cells["cnn + tfidf+bow / late(stacking) / logistic"]
    assert [part.name for part in late.parts] == [
        "cnn / image_only / logistic", "tfidf / text_only / logistic", "bow / text_only / logistic"
    ]


def test_encoders_used_together_stand_for_each_choice_of_their_variants():
    crossed = grid(text=[[{"tfidf": {"language": ["en", "de"]}}, "bow"]])
    assert [encoders.label for encoders in crossed.text] == ["tfidf+bow", "tfidf(de)+bow"]


def test_rules_that_combine_all_models_take_each_encoder_once():
    cells = expand(grid(**SETS, fusion={"late": {"rule": "selection"}}))
    assert [part.name.split(" / ")[0] for part in cells[-1].parts] == ["cnn", "bow", "tfidf"]


@pytest.mark.parametrize(("text", "words"), [
    ([["tfidf"]], "text[0]: a list within the list is for text encoders that cells use together, "
                  "two at least: leave out the inner brackets of ['tfidf']"),
    ([[]], "two at least"),
    ([["tfidf", ["bow", "sbert"]]], "text[0][1]: write a name, {name: {key: value}}"),
    ([["bow", "bow"]], "text[0]: bow stands twice among encoders that are used together"),
    ([["bow", "tfidf"], ["tfidf", "bow"]], "text[1]: tfidf+bow is listed twice"),
    ([["bow", "tf-idf"]], "text[0][1]: unknown text encoder 'tf-idf'; did you mean 'tfidf'?"),
    ([["bow", {"tfidf": {"ngram": 2}}]], "text[0][1].tfidf.ngram: unknown key 'ngram' of tfidf"),
])
def test_encoders_that_cannot_be_used_together_are_mistakes(text, words):
    (line,) = problems(text=text)
    assert words in line


def test_a_fusion_of_single_encoders_is_a_mistake_where_several_are_used_together():
    cell_of = {**SETS, "fusion": ["concat", "cca"]}
    (line,) = problems(**cell_of)
    assert "fusion: cca takes a single encoder of each modality" in line
    assert "without tfidf+bow together" in line
    assert "image_only, text_only, concat, late" in line
    refused = " ".join(problems(**{**SETS, "fusion": ["kernel_cca", "end_to_end", "attention"]}))
    assert "kernel_cca takes a single encoder" in refused
    assert "end_to_end takes a single encoder" in refused
    assert "attention takes a single encoder" not in refused
    assert grid(text=SETS["text"], fusion=["majority", "text_only"])


def test_pictures_encoders_used_together_make_equally_many_copies():
    two = {"cnn": {"augment": {"copies": 2}}}
    three = {"cnn": {"model": "resnet18", "augment": {"copies": 3}}}
    (line,) = problems(image=[[two, three]], fusion=["image_only"])
    assert "make equally many copies of a picture, or none; not 2 and 3" in line
    assert grid(image=[[two, "handcrafted"]], fusion=["image_only"])


def test_what_is_used_together_is_kept_and_read_again():
    first = grid(**SETS, fusion=["concat"])
    again = parse_grid(YAML(typ="safe").load(lock_text(first, {}, "")), Path("grid.yaml"))
    assert [cell.name for cell in expand(again)] == [cell.name for cell in expand(first)]
    assert again.text == first.text


@pytest.mark.parametrize("key", ["fusion", "classifier"])
def test_a_list_of_nothing_is_a_mistake(key):
    assert f"needs one {key} at least" in problems(**{key: []})[0]


def test_splits_are_of_one_kind():
    assert "one of folds, holdout or official" in problems(split={"folds": 3, "holdout": 0.2})[0]
    assert "cannot be repeated" in problems(split={"official": True, "repeats": 2})[0]
    assert grid(split={"holdout": 0.25}).split.folds is None


def test_the_smallest_difference_that_matters_is_of_the_metric_or_by_metric():
    assert grid().rope == {}
    assert grid(rope=0.02, metric="log_loss").rope == {"log_loss": 0.02}
    assert grid(rope=0.03).rope == {"balanced_accuracy": 0.03}
    by_metric = {"accuracy": 0.02, "log_loss": 0.1}
    assert grid(rope=by_metric).rope == by_metric
    assert "did you mean 'accuracy'?" in problems(rope={"acuracy": 0.02})[0]
    for wrong in (0, -0.01, "small", True, float("inf")):
        assert "the smallest difference that matters must be above 0" in problems(rope=wrong)[0]


def test_extra_metrics_are_named_and_go_with_training_rows_of_the_classes():
    assert grid().extra_metrics == ()
    name = "same_class_hit_at_1_features"
    assert grid(extra_metrics=[name]).extra_metrics == (name,)
    assert f"did you mean '{name}'?" in problems(extra_metrics=["same_class_hit_at_1_feature"])[0]
    assert "unknown extra metric 3" in problems(extra_metrics=[3])[0]
    assert "listed twice" in problems(extra_metrics=[name, name])[0]
    unseen = problems(extra_metrics=[name], split={"folds": 3, "unseen_classes": True})
    assert any("none has the class of a test row" in problem for problem in unseen)
    assert any(
        "pairs for retrieval have none" in problem
        for problem in problems(extra_metrics=[name], task="retrieval")
    )


def test_folds_are_drawn_five_times_and_a_hold_out_once():
    assert grid(split={"folds": 3}).split.repeats == 5
    assert grid(split={"folds": 3, "repeats": 1}).split.repeats == 1
    assert grid(split={"holdout": 0.2}).split.repeats == 1
    assert grid(split={"official": True}).split.repeats == 1


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", 3, "x" * 101, "a\n"])
def test_a_name_that_is_no_folder_name_is_a_mistake(name):
    assert "name must be" in problems(name=name)[0]


def test_paths_count_from_the_grid_file():
    located = parse_grid({**GRID, "text": [{"word2vec": {"vectors": "file", "file": "v.kv"}}]},
                       Path("some/where/grid.yaml"))
    assert located.text[0].parameters["file"] == Path("some/where").resolve() / "v.kv"
    assert located.text[0].label == "word2vec(file, v.kv)"


def test_a_models_folder_counts_from_the_grid_file_too():
    located = parse_grid(
        {**GRID, "text": [{"sbert": {"model": "./minilm"}}, {"sbert": {"model": "org/name"}}]},
        Path("some/where/grid.yaml"),
    )
    assert [component.parameters["model"] for component in located.text] == [
        Path("some/where").resolve() / "minilm",
        "org/name",
    ]


def test_models_of_folders_with_one_name_are_told_apart_by_what_differs():
    models = ["./a/v1", "./b/v1", "./c/a/v1", "./other", "org/v1"]
    text = [{"sbert": {"model": model}} for model in models]
    together = [{"sbert": {"model": "./a/v1"}}, {"sbert": {"model": "./b/v1"}}]
    located = parse_grid({**GRID, "text": [*text, together]}, Path("some/where/grid.yaml"))
    assert [encoders.label for encoders in located.text] == [
        "sbert(where/a/v1)", "sbert(b/v1)", "sbert(c/a/v1)", "sbert(other)", "sbert(org/v1)",
        "sbert(where/a/v1)+sbert(b/v1)",
    ]
    names = [cell.name for cell in expand(located)]
    assert len(names) == len(set(names))


def test_files_with_one_name_are_no_file_that_stands_twice():
    files = [{"word2vec": {"vectors": "file", "file": name}} for name in ("a/v.kv", "b/v.kv")]
    located = parse_grid({**GRID, "text": files}, Path("grid.yaml"))
    assert [encoders.label for encoders in located.text] == [
        "word2vec(file, a/v.kv)", "word2vec(file, b/v.kv)"
    ]
    assert "listed twice" in problems(text=[files[0], files[0]])[0]


@pytest.mark.parametrize("model", ["./mini", "../mini", "../../other/mini", "/where/mini", "a/b"])
def test_a_models_folder_reads_from_the_lock_file_as_from_the_grid(model):
    path = Path("some/where/grid.yaml")
    first = parse_grid({**GRID, "text": [{"sbert": {"model": model}}]}, path)
    again = parse_grid(YAML(typ="safe").load(lock_text(first, {}, "")), path)
    assert again.text[0].parameters["model"] == first.text[0].parameters["model"]
    assert again.text[0].label == first.text[0].label


def test_policies_are_named_with_the_nearest():
    assert "did you mean 'drop'?" in problems(data={**GRID["data"], "on_bad_rows": "dropp"})[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([*KEYS, "other"]), json_values))
def test_any_content_gives_a_grid_or_mistakes_never_a_crash(content):
    with suppress(GridError):
        assert expand(parse_grid(content, Path("grid.yaml")))


def documented_grids() -> list[Path]:
    return [ROOT / "grid.yaml", *sorted((ROOT / "grids").glob("*.yaml"))]


@pytest.fixture(scope="module")
def validator():
    """Of the schema, which is valid itself: to check that takes as long as all grids."""
    content = schema(KEYS, Split)
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.mark.parametrize("path", documented_grids(), ids=lambda path: path.name)
def test_the_grids_we_ship_are_valid_for_reader_and_schema(path, validator):
    shipped = read_grid(path)
    assert expand(shipped)
    validator.validate(YAML(typ="safe").load(path.read_text()))


def test_the_schema_refuses_what_the_reader_refuses(validator):
    assert list(validator.iter_errors(GRID)) == []
    assert list(validator.iter_errors({**GRID, **SETS})) == []
    for wrong in (
        {"metric": "acuracy"},
        {"text": ["tf-idf"]},
        {"text": [["tfidf"]]},
        {"text": [["tfidf", "bow", "bow"]]},
        {"text": [["tfidf", ["bow"]]]},
        {"text": [{"bow": {"ngram": [1, 2]}}]},
        {"x": 1},
        {"data": {"source": "tabel"}},
        {"split": {"folds": 1}},
    ):
        assert list(validator.iter_errors({**GRID, **wrong})), wrong


def test_the_schema_is_printed_as_json(capsys):
    command.main(["--schema"])
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["properties"]) == set(KEYS)
    text = json.dumps(printed)
    for registry in (IMAGE_ENCODERS, TEXT_ENCODERS, FUSIONS, CLASSIFIERS, METRICS, SOURCES):
        assert all(f'"{name}"' in text for name in registry)


@pytest.mark.parametrize(("modality", "name"), [("image", name) for name in IMAGE_ENCODERS]
                         + [("text", name) for name in TEXT_ENCODERS])
def test_every_encoder_is_built_in_the_form_a_fusion_needs(modality, name):
    from pipeline.config.components import Component

    for form in ("pooled", "sequence"):
        encoder = build_encoder(modality, Component(name), form, seed=0)
        expected = encoder.forms.get(form, encoder.forms["pooled"])
        assert getattr(encoder, "output", None) == expected
        assert encoder.modality == modality


def test_cells_are_every_combination_once_with_parts_before_what_combines_them():
    crossed = grid(
        image=["cnn"],
        text=["bow", "tfidf"],
        fusion=["majority", "text_only", "concat", {"late": {"rule": ["mean", "product"]}}],
        classifier=["logistic", "linear_svm"],
    )
    cells = expand(crossed)
    names = [cell.name for cell in cells]
    assert len(names) == len(set(names))
    # and image_only, twice, as a part of late
    assert len(cells) == 1 + 2 * 2 + 2 * 2 + 2 * 2 * 2 + 2
    for cell in cells:
        assert all(names.index(part.name) < names.index(cell.name) for part in cell.parts)
    late = next(cell for cell in cells if cell.name == "cnn + bow / late / linear_svm")
    assert [part.name for part in late.parts] == [
        "cnn / image_only / linear_svm",
        "bow / text_only / linear_svm",
    ]


def test_random_parts_are_seeded_by_the_grids_seed_and_their_own_name():
    def state(seed: int, fusion: str) -> int:
        seeded = grid(seed=seed, image=["cnn"], fusion=[fusion], classifier=["random_forest"])
        return expand(seeded)[0].estimator(seed).get_params()["classifier__random_state"]

    assert state(0, "text_only") == state(0, "text_only")
    assert state(0, "text_only") != state(1, "text_only")


@pytest.mark.parametrize("path", sorted(ROOT.glob("grids/*.yaml")), ids=lambda path: path.stem)
def test_worked_examples_are_valid_grids(path):
    example = read_grid(path)
    assert example.name == path.stem.replace("_", "-")
    assert len(expand(example)) > len(example.fusion)
