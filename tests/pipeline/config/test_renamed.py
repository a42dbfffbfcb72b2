"""Old names of keys are refused, and the new one is named."""

from __future__ import annotations

import pytest

from features import IMAGE_ENCODERS
from models import FUSIONS
from pipeline.config.components import variants
from pipeline.config.grid import GridError
from pipeline.config.parameters import parameters_of
from pipeline.config.parse import read_grid
from pipeline.config.renamed import RENAMED, renamed_key
from tests.support.tiny import GRID, register, write_grid, write_table

COMPONENTS = {**IMAGE_ENCODERS, **FUSIONS}


def problems(name, given):
    components, problems = variants(name, COMPONENTS[name], given, ("part", 0), {})
    assert components == []
    return [(problem.path, problem.rule) for problem in problems]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("small_resnet", "lr", "learning_rate"),
        ("small_vgg", "lr", "learning_rate"),
        ("gated", "lr", "learning_rate"),
        ("end_to_end", "encoder_lr", "encoder_learning_rate"),
        ("contrastive", "batch", "batch_size"),
    ],
)
def test_an_old_name_is_refused_and_the_new_one_named(name, old, new):
    assert problems(name, {old: 1}) == [(("part", 0, old), f"'{old}' is now '{new}'")]
    assert new in parameters_of(COMPONENTS[name])


def test_so_is_one_inside_an_object_or_in_a_list_of_these():
    rule = "finetune: 'lr' is now 'learning_rate'"
    assert problems("cnn", {"finetune": {"lr": 0.1}}) == [
        (("part", 0, "finetune", "lr"), rule)
    ]
    assert problems("cnn", {"finetune": [None, {"epochs": 2, "lr": 0.1}]}) == [
        (("part", 0, "finetune", 1, "lr"), rule)
    ]


def test_where_the_new_name_is_unknown_too_the_old_one_is_any_unknown_key():
    assert renamed_key("lr", ["C"]) is None
    assert renamed_key("C", ["learning_rate"]) is None
    assert problems("concat", {"lr": 1})[0][1].startswith("unknown key 'lr' of concat")
    assert problems("cnn", {"augment": {"lr": 1}})[0][1] == "augment: unknown key 'lr'"


def test_no_old_name_is_a_key_of_anything():
    for cls in COMPONENTS.values():
        assert not set(RENAMED) & set(parameters_of(cls))


def test_the_error_of_a_grid_names_its_line(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    text = GRID.replace("[majority,", "[{gated: {lr: 0.1}}, majority,")
    path = write_grid(tmp_path, text)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "lr:" in row)
    with pytest.raises(GridError) as caught:
        read_grid(path)
    assert f"grid.yaml:{line}: fusion[0].gated.lr: 'lr' is now 'learning_rate'" in str(
        caught.value
    )
