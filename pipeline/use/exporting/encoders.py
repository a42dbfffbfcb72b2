"""The encoders of a cell as they run without PyTorch: exported, or as they are."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import BlockName, block_name
from features.encoder import Encoder
from features.encoders.bag_of_words import BagOfWords
from features.encoders.exported_sentences import ExportedSentences
from features.encoders.sentence_bert import SentenceBert
from features.encoders.universal_sentence import UniversalSentence
from features.encoders.word2vec import Word2Vec
from pipeline.data.samples import NOUNS
from pipeline.use.fitted import FittedCell

AS_THEY_ARE = (BagOfWords, UniversalSentence, Word2Vec)
# What may follow a sentence transformer's network and pooling, by its library's names of classes.
BEHIND = ("Normalize", "Dense")
PARTS = f"a Transformer, a Pooling, and behind them {' and '.join(BEHIND)}"
_NAMES = [name for name, cls in TEXT_ENCODERS.items() if issubclass(cls, AS_THEY_ARE)]
POSSIBLE = f"sbert (in float32, of {PARTS}), {', '.join(_NAMES)}"
GRAPH, BUNDLE, LACKS = "graph", "bundle", "lacks"
# What a bundle says of each encoder: {GRAPH: ..., and more} of an exported one, {BUNDLE: True} of
# one that is used as the bundle holds it, {LACKS: why} of one that can be neither.
EncoderFacts: TypeAlias = dict[str, Any]
OfModels: TypeAlias = list[dict[BlockName, EncoderFacts]]


def exported_encoders(cell: FittedCell, folder: Path) -> OfModels:
    """What becomes of the encoders of each model; the files are written into a folder.

    An encoder that several models have is exported once.
    """
    known: dict[str, EncoderFacts] = {}
    of_models: OfModels = []
    for model in cell.models:
        for encoder in model.encoders.values():
            if repr(encoder) not in known:
                exports = sum(GRAPH in facts for facts in known.values())
                known[repr(encoder)] = _facts(encoder, folder, block_name("text", exports + 1))
        of_models.append({
            name: known[repr(encoder)] for name, encoder in model.encoders.items()
        })
    return of_models


def _facts(encoder: Encoder, folder: Path, name: str) -> EncoderFacts:
    if isinstance(encoder, AS_THEY_ARE):
        return {BUNDLE: True}
    if not isinstance(encoder, SentenceBert):
        return {LACKS: f"{_export_of(encoder)} (it needs PyTorch)"}
    from pipeline.use.exporting.sentences import exported_sentences, why_not

    reason = why_not(encoder)
    if reason:
        return {LACKS: f"{_export_of(encoder)} ({reason})"}
    try:
        written = exported_sentences(encoder, folder, name)
    except ValueError as error:
        return {LACKS: f"{_export_of(encoder)} ({error})"}
    return {
        GRAPH: written.graph.name,
        "tokenizer": written.tokenizer.name,
        "prompt": written.prompt,
        "output": written.output,
    }


def _export_of(encoder: Encoder) -> str:
    registry = IMAGE_ENCODERS if encoder.modality == "image" else TEXT_ENCODERS
    names = [name for name, cls in registry.items() if cls is type(encoder)]
    name = (*names, type(encoder).__name__)[0]
    return f"an export of the {NOUNS[encoder.modality]} encoder {name}"


def encoder_of(facts: EncoderFacts, encoder: Encoder, folder: Path) -> Encoder:
    """The encoder that stands for one of a bundle's, files in the bundle's folder.

    Raises
    ------
    ValueError
        Where a file cannot be read, or the facts are none.
    """
    if GRAPH not in facts:
        return encoder
    if facts["output"] not in ExportedSentences.forms.values() or type(facts["prompt"]) is not str:
        raise ValueError(f"what it says of {facts[GRAPH]} is damaged")
    exported = ExportedSentences(
        graph=folder / facts[GRAPH],
        tokenizer=folder / facts["tokenizer"],
        prompt=facts["prompt"],
        output=facts["output"],
    )
    exported.load()
    return exported


def all_of(of_models: OfModels) -> list[EncoderFacts]:
    """What becomes of every encoder, model by model."""
    return list(chain.from_iterable(of_model.values() for of_model in of_models))


def files_of(of_models: OfModels) -> list[str]:
    """Names of the files of exported encoders, each once."""
    exported = [facts for facts in all_of(of_models) if GRAPH in facts]
    names = chain.from_iterable((facts[GRAPH], facts["tokenizer"]) for facts in exported)
    return list(dict.fromkeys(names))


def reasons(of_models: OfModels) -> list[str]:
    """What is lacking, each reason once."""
    return list(dict.fromkeys(facts[LACKS] for facts in all_of(of_models) if LACKS in facts))
