"""The model card of a bundle: what it is, what it learned from, how good it is, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.program.names import called
from pipeline.use.bundle import Bundle
from pipeline.use.exporting.encoders import GRAPH, LACKS, all_of
from pipeline.use.finished_run import FinishedRun
from reports.wording import metric_label

LIMITS = """\
For items like those that it learned from: the same kinds of pictures, texts and classes. What is of
none of its classes gets one all the same. Probabilities are calibrated on inner folds, for items of
the same mixture of classes.
To be filled in: what it is meant for, and what it must not decide."""


def card(bundle: Bundle, run: FinishedRun) -> str:
    """The card as Markdown; what only its owner can say is left to be filled in."""
    about = bundle.about
    sections = {
        f"# {about['run']}: {about['cell']}": _what_it_is(bundle),
        "## Data": (
            f"Fitted on all {about['rows']:,} labelled rows (fingerprint "
            f"`{about['data'][:16]}`).\nOrigin of the pictures and texts, and terms of their use: "
            "to be filled in."
        ),
        **({"## As ONNX": _onnx(about["onnx"])} if "onnx" in about else {}),
        "## How good it is": "\n\n".join(
            [_score(bundle), about["headline"], "\n".join(_by_class(bundle, run))]
        ),
        "## Intended use and limits": LIMITS,
        "## Licence": "Of this model: to be filled in. Of the encoders' weights: see their own.",
        "## How to cite": (
            f"{about['run']}, {about['cell']}, fitted {about['created']} with modalgrid "
            f"{about['versions'].get('modalgrid', '')}."
        ),
    }
    return "".join(f"{title}\n\n{text}\n\n" for title, text in sections.items())


def _what_it_is(bundle: Bundle) -> str:
    nouns = {"image": "a picture", "text": "a text"}
    modalities = " and ".join(nouns[modality] for modality in bundle.cell.modalities)
    return (
        f"Gives an item of {modalities or 'any kind'} the probabilities of {len(bundle.classes)} "
        "classes. Made by modalgrid; `grid.lock.yaml` is the comparison that it comes from.\n\n"
        f"    {called('predict')} THIS_FOLDER items.csv -o predictions.csv"
    )


def _onnx(facts: Mapping[str, Any]) -> str:
    """What the exported classifier takes and gives."""
    output = facts["output"]
    lines = [f"| {_named(part)} | {part['holds']} |" for part in facts["inputs"]]
    lines.append(f"| {_named(output)} | given: of the classes below, in their order |")
    return (
        f"`{facts['file']}` (opset {facts['opset']}) is what comes after the encoders, calibration "
        f"included. Its probabilities differ by at most {facts['largest_difference']:.1g} from the "
        f"bundle's own, on the features of the {facts['samples_compared']:,} rows that it was "
        "fitted on.\n\n| name | type | shape | holds |\n|:--|:--|:--|:--|\n" + "\n".join(lines)
        + "".join(f"\n\n{text}" for text in _of_encoders(facts))
    )


def _of_encoders(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the exported encoders take and give, and whether they are enough to predict."""
    exported = {
        encoder[GRAPH]: encoder for encoder in all_of(facts["encoders"]) if GRAPH in encoder
    }
    for name, encoder in exported.items():
        prompt = f", behind the prompt {encoder['prompt']!r}" if encoder["prompt"] else ""
        noun = "a vector of each text" if encoder["output"] == "sentence" else "a vector of a token"
        yield (
            f"`{name}` is the text encoder: it takes `token_ids` and `attention_mask`, int64 (texts"
            f", length), and gives {noun}. `{encoder['tokenizer']}`, of the library tokenizers, "
            f"reads texts for it and cuts them off{prompt}. Its vectors differ by at most "
            f"{encoder['largest_difference']:.1g} from the encoder's own."
        )
    whole = facts["whole"]
    if LACKS in whole:
        yield f"ONNX Runtime alone cannot predict with this bundle: it lacks {whole[LACKS]}."
    else:
        yield (
            "With `--onnx`, predict and serve ask ONNX Runtime, without PyTorch. Probabilities "
            f"then differ by at most {whole['largest_difference']:.1g} from the bundle's own, "
            f"measured on the texts of {whole['rows_compared']:,} rows of the "
            f"{whole['rows_fitted']:,} that it was fitted on; more than {whole['bound']:g} would "
            "have been refused."
        )


def _named(part: Mapping[str, Any]) -> str:
    return f"`{part['name']}` | {part['type']} | {' x '.join(map(str, part['shape']))}"


def _score(bundle: Bundle) -> str:
    about, score = bundle.about, bundle.about["score"]
    metric = metric_label(str(about["metric"]))
    if score is None:
        return f"Mean {metric} of its cell over the folds of the comparison: {about['mean']:.3f}."
    return (
        f"To expect of choosing so, and of this model: {metric} {score['mean']:.3f} "
        f"(95 % interval {score['low']:.3f} to {score['high']:.3f})."
    )


def _by_class(bundle: Bundle, run: FinishedRun) -> Iterator[str]:
    """A table of each class's rows and recall, from predictions of rows that were held out."""
    table = run.tested(bundle.about["cell"])
    ids, labels, predicted = (
        np.array(table[name].to_pylist()) for name in ("id", "label", "predicted")
    )
    repeats = len(set(table["repeat"].to_pylist()))
    if repeats > 1:
        yield (
            f"{len(np.unique(ids)):,} rows were tested, in {repeats} repeats of the folds: recall "
            f"and precision are of all {len(labels):,} predictions.\n"
        )
    yield "| class | rows tested | recall | precision |"
    yield "|:--|--:|--:|--:|"
    for name in bundle.classes:
        of_class, as_class = labels == name, predicted == name
        recall = (predicted[of_class] == name).mean() if of_class.any() else float("nan")
        precision = (labels[as_class] == name).mean() if as_class.any() else float("nan")
        yield f"| {name} | {len(np.unique(ids[of_class])):,} | {recall:.2f} | {precision:.2f} |"
