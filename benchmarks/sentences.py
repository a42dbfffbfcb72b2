"""Sentence-BERT in other number formats: texts a second, and how far vectors turn from float32.

    python -m benchmarks.sentences [--texts 256] [--rounds 3]

Real texts of ../shared/data (products, captions, glosses), as many of each, drawn by a seed. Every
round measures all sides in turn, in seconds of the processor, on one thread; the table gives
medians. The least cosine is over all the texts, to the vectors of float32. Sides:

- library: sentence-transformers' own loop, 32 texts at a time in their order;
- bare: the network on tensors that are ready, 32 texts of like length at a time;
- ours: features.encoders.sentence_bert; in bfloat16, by its parameter; by torch.autocast; with
  layers that torch quantises to int8 as it goes;
- ONNX: features.encoders.exported_sentences, as it is exported; and with weights in int8.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from features.encoders.exported_sentences import ExportedSentences
from features.encoders.sentence_bert import SentenceBert
from features.texts.sentence_models import MINILM, loaded, model_folder
from pipeline.use.exporting.sentences import exported_sentences

SHARED = Path(__file__).parents[2] / "shared" / "data"
BATCH = 32


class OfNetwork(SentenceBert):
    """Our way of batches, with a network that was changed."""

    network_of_side: Any = None

    def _net(self) -> Any:
        return self.network_of_side


def real_texts(count: int) -> list[str]:
    """As many products, captions and glosses, distinct, drawn by a seed."""
    products = pq.read_table(SHARED / "flipkart1050.parquet", columns=["text"])["text"].to_pylist()
    with (SHARED / "flickr1000_captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    with (SHARED / "cifar10_terms.csv").open(encoding="utf-8", newline="") as file:
        glosses = [row["gloss"] for row in csv.DictReader(file)]
    rng = np.random.default_rng(0)
    drawn: list[str] = []
    for texts in (products, captions, glosses):
        distinct = list(dict.fromkeys(texts))
        chosen = rng.permutation(len(distinct))[: count // 3]
        drawn += [distinct[position] for position in chosen]
    return [drawn[position] for position in rng.permutation(len(drawn))]


def in_order(net: Any, texts: Sequence[str]) -> Any:
    """The library's own loop; it sorts by length itself, within each call."""
    parts = [
        net.encode(texts[start : start + BATCH], batch_size=BATCH, show_progress_bar=False)
        for start in range(0, len(texts), BATCH)
    ]
    return np.concatenate(parts)


def ready_batches(net: Any, texts: Sequence[str]) -> list[dict[str, torch.Tensor]]:
    """Token numbers and masks of all texts, those of like length together."""
    by_length = sorted(texts, key=lambda text: len(net.tokenizer(text)["input_ids"]))
    return [
        dict(net.tokenize(by_length[start : start + BATCH]))
        for start in range(0, len(texts), BATCH)
    ]


def bare(net: Any, ready: Sequence[dict[str, torch.Tensor]]) -> None:
    """The network alone."""
    with torch.inference_mode():
        for batch in ready:
            net(dict(batch))


def with_autocast(encoder: SentenceBert, texts: Sequence[str]) -> Any:
    """Our way, with products in bfloat16 and all else in float32."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return encoder.transform(texts).array()


def of_int8(net: Any) -> SentenceBert:
    """Our way with linear layers whose weights are int8, and whose inputs become it."""
    from torch.ao.quantization import quantize_dynamic

    encoder = OfNetwork()
    encoder.network_of_side = quantize_dynamic(
        deepcopy(net), {torch.nn.Linear}, dtype=torch.qint8
    )
    return encoder


def onnx_of_int8(exported: ExportedSentences, folder: Path) -> ExportedSentences:
    """The exported network with weights in int8, a scale for each column."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    file = folder / "int8.onnx"
    quantize_dynamic(exported.graph, file, weight_type=QuantType.QInt8, per_channel=True)
    return ExportedSentences(graph=file, tokenizer=exported.tokenizer)


def sides_of(texts: list[str], folder: Path) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; each gives vectors (m, d), but for the bare network."""
    net = loaded(model_folder(MINILM), None, "float32")
    ready, ours = ready_batches(net, texts), OfNetwork()
    ours.network_of_side = net
    rounded = OfNetwork()
    rounded.network_of_side = deepcopy(net).to(torch.bfloat16)
    exported = exported_sentences(SentenceBert(), folder, "float32")
    quantised, exported_int8 = of_int8(net), onnx_of_int8(exported, folder)
    return {
        "ours, float32": lambda: ours.transform(texts).array(),
        "library, float32": lambda: in_order(net, texts),
        "bare, float32": lambda: bare(net, ready),
        "ours, bfloat16": lambda: rounded.transform(texts).array(),
        "ours, autocast to bfloat16": lambda: with_autocast(ours, texts),
        "ours, int8 by torch": lambda: quantised.transform(texts).array(),
        "ONNX, float32": lambda: exported.transform(texts).array(),
        "ONNX, int8": lambda: exported_int8.transform(texts).array(),
    }


def least_cosine(vectors: Any, exact: Any) -> float:
    """The smallest cosine of rows (m, d) to the same rows of another array."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(exact, axis=1)
    return float(((vectors * exact).sum(axis=1) / lengths).min())


def measure(sides: Mapping[str, Callable[[], Any]], count: int, rounds: int) -> None:
    """Print the table."""
    vectors = {name: work() for name, work in sides.items()}  # the first call warms up
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            begun = time.process_time()
            work()
            seconds[name].append(time.process_time() - begun)
    exact = vectors["ours, float32"]
    ours = statistics.median(seconds["ours, float32"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        cosine = "" if vectors[name] is None else f"{least_cosine(vectors[name], exact):.5f}"
        print(
            f"{name:28} {count / median:8.1f} texts a second of the processor, "
            f"{ours / median:5.2f} times ours, least cosine {cosine or '-'}", flush=True
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sentences", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    texts = real_texts(options.texts)
    with tempfile.TemporaryDirectory() as folder:
        measure(sides_of(texts, Path(folder)), len(texts), options.rounds)


if __name__ == "__main__":
    main()
