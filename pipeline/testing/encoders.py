"""What every encoder must do: the contract of features/encoder.py, a function for each rule."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
from scipy import sparse
from sklearn.base import clone

from features.block import Block, FloatArray, Form, joined
from features.encoder import Encoder, Targets
from pipeline.testing.samples import CANARY, OTHERS, TRAINING, png

Fitted = tuple[Encoder, Block]


@dataclass(frozen=True)
class Case:
    """An encoder in one of its forms.

    Parameters
    ----------
    name : what it is called.
    make : gives it unfitted, in a small form.
    """

    name: str
    make: Callable[[], Encoder]
    form: Form = "pooled"

    def built(self) -> Encoder:
        """Unfitted, with the output of its form."""
        encoder = self.make()
        value = type(encoder).forms[self.form]
        return encoder if value is None else encoder.set_params(output=value)

    def in_form(self, form: Form) -> Case:
        """The same encoder in another form."""
        return Case(self.name, self.make, form)

    def fitted(self) -> Fitted:
        """Fitted on TRAINING, with the block of OTHERS; made once."""
        return _fitted(self)


@cache
def _fitted(case: Case) -> Fitted:
    encoder = case.built()
    taught(encoder, TRAINING[encoder.modality])
    return encoder, encoder.transform(OTHERS[encoder.modality])


def taught(encoder: Encoder, samples: list[Any]) -> Encoder:
    """The encoder, fitted; a supervised one on alternating labels."""
    if encoder.supervised:
        return encoder.fit_supervised(samples, Targets(np.arange(len(samples)) % 2))
    return encoder.fit(samples)


def dense(block: Block) -> FloatArray:
    """All values of the samples as one array: (n, d), or (n, t, d)."""
    if block.is_sequence:
        return block.sequence()[0]
    array: Any = block.array()
    return np.asarray(array.toarray() if sparse.issparse(array) else array)


def same(block: Block, other: Block, atol: float = 0.0) -> None:
    """Equal values, whatever the number of masked tokens behind them."""
    first, second = dense(block), dense(other)
    if block.is_sequence:
        masks = [item.sequence()[1] for item in (block, other)]
        assert masks[0].sum(axis=1).tolist() == masks[1].sum(axis=1).tolist()
        length = min(first.shape[1], second.shape[1])
        assert not first[:, length:].any()
        assert not second[:, length:].any()
        first, second = first[:, :length], second[:, :length]
    np.testing.assert_allclose(first, second, rtol=0, atol=atol)


# Of the class


def declares_what_it_takes_and_gives(case: Case) -> None:
    """It declares modality, version and forms, and has a docstring."""
    cls = type(case.make())
    assert cls.modality in TRAINING
    assert isinstance(cls.version, int)
    assert "pooled" in cls.forms
    assert set(cls.forms) <= {"pooled", "sequence", "inputs"}
    assert cls.__doc__


def constructor_only_stores(case: Case) -> None:
    """The constructor only stores parameters, which have types and defaults."""
    cls: Any = type(case.make())
    parameters = inspect.signature(cls).parameters
    assert all(parameter.annotation is not parameter.empty for parameter in parameters.values())
    assert all(parameter.default is not parameter.empty for parameter in parameters.values())
    values = {parameter: object() for parameter in parameters}
    assert vars(cls(**values)) == values


def reads_odd_samples_and_none_at_all(case: Case) -> None:
    """It can read what it is tested with, and none at all."""
    encoder = case.built()
    assert encoder.unfit(OTHERS[encoder.modality]) is None
    assert encoder.unfit([]) is None


def counts_in_whole_numbers(case: Case) -> None:
    """What it counts are whole numbers, of the same things whatever the samples."""
    encoder, _ = case.fitted()
    counts = encoder.counts(OTHERS[encoder.modality])
    assert all(isinstance(number, int) and number >= 0 for number in counts.values())
    assert set(encoder.counts([])) == set(counts)
    assert not any(encoder.counts([]).values())


def several_outputs_at_once_are_each_as_alone(case: Case) -> None:
    """Several outputs at once are each as alone."""
    encoder, pooled = case.fitted()
    if "sequence" not in encoder.forms:
        return
    _, sequence = case.in_form("sequence").fitted()
    names = [encoder.forms["pooled"], encoder.forms["sequence"]]
    pieces = list(encoder.pieces(OTHERS[encoder.modality], names))
    assert all(list(piece) == names for piece in pieces)
    for output, alone in zip(names, (pooled, sequence), strict=True):
        same(joined([piece[output] for piece in pieces]), alone, atol=1e-6)
    assert getattr(encoder, "output", None) == names[0], "the encoder itself is left as it was"


def has_an_identity_that_stays(case: Case) -> None:
    """Its identity is JSON, not empty, and the same each time."""
    identity = case.built().identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity, "name in identity() what decides the output beyond the parameters"
    assert case.built().identity() == identity


def _refuse(*arguments: object, **options: object) -> None:
    raise AssertionError("a network call was attempted")


def asks_no_network(case: Case) -> None:
    """It asks no network, neither for its identity nor to learn and encode."""
    from features.networks.inference.feature_extractor import feature_extractor
    from features.networks.inference.towers import picture_tower
    from features.texts import sentence_models

    feature_extractor.cache_clear()
    picture_tower.cache_clear()
    sentence_models.loaded.cache_clear()
    with (
        mock.patch.object(socket.socket, "connect", _refuse),
        mock.patch.object(socket.socket, "connect_ex", _refuse),
        mock.patch.object(socket, "getaddrinfo", _refuse),
    ):
        encoder = case.built()
        samples = TRAINING[encoder.modality]
        encoder.identity()
        assert len(taught(encoder, samples).transform(samples[:1])) == 1


# Of each form


def clones_have_the_parameters_and_not_the_fit(case: Case) -> None:
    """Clones have the parameters and not the fit."""
    encoder, _ = case.fitted()
    copy = clone(encoder)
    assert copy.get_params() == encoder.get_params()
    assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]


def the_block_is_what_the_form_says(case: Case) -> None:
    """The block is what the form says: shape, type, mask, finite values."""
    encoder, block = case.fitted()
    form, samples = case.form, OTHERS[encoder.modality]
    assert block.is_sequence == (form == "sequence")
    assert block.values.dtype == np.float32 or form == "inputs"
    assert (block.encoder is encoder) == (form == "inputs")
    assert np.isfinite(dense(block)).all()
    assert block.index.tolist() == list(range(len(samples)))
    if block.is_sparse:
        assert sparse.isspmatrix_csr(block.values)
    if block.is_sequence:
        mask = block.sequence()[1]
        assert mask.any(axis=1).all(), "every sample that is there has a token or region"
        assert not np.diff(mask.astype(int), axis=1).clip(0).any(), "masked tokens come last"
        assert not block.values[~mask].any(), "masked values are zero"


def fitting_and_encoding_again_gives_the_same(case: Case) -> None:
    """Fitting and encoding again gives the same, to the bit."""
    encoder, block = case.fitted()
    same(encoder.transform(OTHERS[encoder.modality]), block)
    again = taught(clone(encoder), TRAINING[encoder.modality])
    same(again.transform(OTHERS[encoder.modality]), block)


def order_and_company_do_not_matter(case: Case) -> None:
    """What a sample is encoded as depends neither on its place nor on the samples beside it."""
    encoder, block = case.fitted()
    samples = OTHERS[encoder.modality]
    order = np.random.default_rng(0).permutation(len(samples))
    # To the bit, but for networks that were trained here: their batches are as large as they come.
    atol = 1e-4 if encoder.learns else 0.0
    same(encoder.transform([samples[row] for row in order]), block.take(order), atol)
    for row in range(len(samples)):
        same(encoder.transform([samples[row]]), block.take(np.array([row])), atol)


def nothing_gives_an_empty_block_of_the_right_width(case: Case) -> None:
    """No samples give an empty block of the same width and kind."""
    encoder, block = case.fitted()
    empty = encoder.transform([])
    assert len(empty) == 0
    assert empty.width == block.width
    assert empty.is_sequence == block.is_sequence
    assert empty.is_sparse == block.is_sparse


def bears_a_text_of_a_megabyte(case: Case) -> None:
    """It bears a text of a megabyte."""
    encoder, block = case.fitted()
    if encoder.modality != "text":
        return
    huge = encoder.transform(["a red apple " * 90_000])
    assert huge.width == block.width
    assert np.isfinite(dense(huge)).all()
    assert dense(huge).any()


def learned_state(encoder: Encoder) -> str:
    """Everything that was fitted, as text."""

    def shown(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if hasattr(value, "state_dict"):
            return {key: item.tolist() for key, item in value.state_dict().items()}
        return (
            {key: shown(item) for key, item in vars(value).items()}
            if hasattr(value, "__dict__")
            else value
        )

    return repr({key: shown(value) for key, value in vars(encoder).items() if key.endswith("_")})


def what_is_only_encoded_is_never_learned(case: Case) -> None:
    """What is only encoded is never learned; what is learned stands in attributes NAME_."""
    encoder = case.built()
    samples = TRAINING[encoder.modality]
    before = learned_state(taught(encoder, samples))
    encoder.transform(OTHERS[encoder.modality])
    assert learned_state(encoder) == before
    if encoder.learns and encoder.modality == "text":
        assert CANARY not in before
        assert before != "{}"
        assert CANARY in learned_state(clone(encoder).fit([*samples, f"a {CANARY}"])), (
            "the canary can be seen"
        )
    elif encoder.learns:
        assert learned_state(taught(clone(encoder), samples)) == before
        assert learned_state(taught(clone(encoder), [*samples, png(99)])) != before, (
            "another picture can be seen"
        )
    else:
        assert before == "{}"


def the_network_makes_the_features_of_the_inputs_and_is_a_copy(case: Case) -> None:
    """The network makes the features of the inputs, and is a copy."""
    if case.form != "inputs":
        return
    import torch

    encoder, inputs = case.fitted()
    _, pooled = case.in_form("pooled").fitted()
    assert not encoder.learns
    network = encoder.network("all", inputs)
    features = network.module.eval()(torch.from_numpy(inputs.array()))
    assert features.shape == (len(inputs), network.width)
    assert features.requires_grad
    assert network.width == pooled.width
    if network.pretrained:
        np.testing.assert_allclose(features.detach().numpy(), dense(pooled), atol=1e-4)
    with torch.no_grad():
        for weight in network.module.parameters():
            weight.zero_()
    again = encoder.network("all", inputs).module
    assert any(bool(weight.any()) for weight in again.parameters())


OF_CLASS: tuple[Callable[[Case], None], ...] = (
    declares_what_it_takes_and_gives,
    constructor_only_stores,
    reads_odd_samples_and_none_at_all,
    counts_in_whole_numbers,
    several_outputs_at_once_are_each_as_alone,
    has_an_identity_that_stays,
    asks_no_network,
)
OF_FORM: tuple[Callable[[Case], None], ...] = (
    clones_have_the_parameters_and_not_the_fit,
    the_block_is_what_the_form_says,
    fitting_and_encoding_again_gives_the_same,
    order_and_company_do_not_matter,
    nothing_gives_an_empty_block_of_the_right_width,
    bears_a_text_of_a_megabyte,
    what_is_only_encoded_is_never_learned,
    the_network_makes_the_features_of_the_inputs_and_is_a_copy,
)
