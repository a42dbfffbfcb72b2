"""Encoding speed: our way from files to features, the loop of tutorials, and the model alone.

Run by hand: ``python -m benchmarks.encode [--models NAME ...] [--pictures N] [--rounds N]
[--no-texts]``. Every round measures all sides of a model one after the other, so that a slower
minute slows all of them; the table gives medians of the rounds. Pictures per second of

- tutorial: open a file, transform it, run the model in float32, one picture or 32 at a time;
- bare: the same network as ours on tensors that are ready in memory, at the fastest of several
  settings (batches, and threads that share a batch or take one each), found before the rounds;
- ours: `features.networks.inference.encoding.encoded`, from files in memory to features;
- decoding alone: the same pictures prepared by as many threads, without a network; and on a GPU,
  its own decoder of JPEG (torchvision's, which gives other pixels than Pillow).

The pictures are those of ../shared/data/flipkart1050.parquet where that is there, else photographs
made up. Weights are random where none are at hand; speed is the same. With a GPU all sides run on
it, on many more pictures, and the share of the time that it was busy is given.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from features.encoders.cnn import CNN
from features.machine.precision import chosen_precision
from features.networks.building import build
from features.networks.inference.encoding import encoded
from features.networks.inference.feature_extractor import FeatureExtractor, feature_extractor
from features.networks.pretrained import Pretrained
from features.pictures.preparation import batches

MODELS = ("efficientnet_lite0", "resnet50")
SHARED = Path(__file__).parents[2] / "shared" / "data" / "flipkart1050.parquet"
BATCH = 32  # of the tutorial


class Side(NamedTuple):
    """One way to do the work: a function that does it, and how many items that are."""

    work: Callable[[], Any]
    count: int


def median_speeds(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Items per second of each side, median of the rounds; in each, all sides take their turn."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-1, rounds):  # one round to warm up
        for name, side in sides.items():
            begun = time.perf_counter()
            side.work()
            if number >= 0:
                seconds[name].append(time.perf_counter() - begun)
    return {name: side.count / statistics.median(seconds[name]) for name, side in sides.items()}


def picture_files(count: int) -> list[bytes]:
    """Encoded JPEG files: product photographs, or smooth noise of like size."""
    if SHARED.is_file():
        import pyarrow.parquet as pq

        column = pq.read_table(SHARED, columns=["image"])["image"]
        files = [bytes(picture.as_py()) for picture in column]
    else:
        rng = np.random.default_rng(0)
        files = [_made_up(rng) for _ in range(min(count, 256))]
    return [files[position % len(files)] for position in range(count)]


def _made_up(rng: np.random.Generator) -> bytes:
    width, height = rng.integers(120, 257, 2)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((int(width), int(height)), Image.Resampling.BICUBIC).save(
        file, "JPEG", quality=90
    )
    return file.getvalue()


def tutorial(net: torch.nn.Module, chosen: Pretrained, files: Sequence[bytes], batch: int) -> None:
    """What tutorials show: torchvision's transforms and a plain float32 model, batch by batch."""
    from torchvision import transforms

    preparation = chosen.preparation
    size = preparation.size
    resized = (size, size) if preparation.shorter_side is None else preparation.shorter_side
    transform = transforms.Compose(
        [
            transforms.Resize(resized),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(preparation.mean, preparation.std),
        ]
    )
    device = next(net.parameters()).device
    for start in range(0, len(files), batch):
        images = torch.stack([transform(Image.open(io.BytesIO(data)).convert("RGB"))
                              for data in files[start:start + batch]])
        with torch.no_grad():
            net(images.to(device)).cpu()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def bare(
    net: Any, ready: Sequence[torch.Tensor], lanes: int, outputs: Sequence[str] = ("pooled",)
) -> None:
    """The network on ready batches, `lanes` of them side by side, which share the threads."""
    def run(part: Sequence[torch.Tensor], threads: int) -> None:
        torch.set_num_threads(threads)
        for pixels in part:
            net.features(pixels, outputs)

    threads = max(1, torch.get_num_threads() // lanes)
    with _threads(threads), ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lambda lane: run(ready[lane::lanes], threads), range(lanes)))
    if net.device.type == "cuda":
        torch.cuda.synchronize()


def best_bare(net: Any, count: int, outputs: Sequence[str] = ("pooled",)) -> tuple[Side, str]:
    """The fastest setting of the bare network, and its name."""
    side = net.preparation.size
    pixels = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    )
    pixels = pixels.to(net.device)
    cores = torch.get_num_threads()
    lanes = (1,) if net.device.type == "cuda" else tuple(sorted({1, cores}))
    sizes = sorted(
        {net.batch_size, BATCH, 4} if net.device.type == "cpu" else {net.batch_size, 128, 256}
    )
    settings = {
        f"batches of {size}, {at_once} at once": Side(
            partial(bare, net, pixels.split(size), at_once, outputs), count
        )
        for size, at_once in itertools.product(sizes, lanes)
    }
    speeds = median_speeds(settings, 2)
    fastest = max(settings, key=lambda name: speeds[name])
    return settings[fastest], fastest


def ours(net: FeatureExtractor, files: Sequence[bytes]) -> None:
    """From files to features, none of which is kept."""
    for _ in encoded(net, files, ["pooled"]):
        pass


class BusyShare:
    """Watches how busy the GPU is; `share` afterwards, None without a GPU."""

    share: float | None = None

    def __enter__(self) -> BusyShare:
        command = [
            "nvidia-smi",
            "--query-gpu=utilization.gpu",
            "--format=csv,noheader,nounits",
            "-lms",
            "100",
        ]
        self._watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.terminate()
        lines = self._watcher.communicate()[0].split()
        self.share = statistics.mean(map(float, lines)) / 100 if lines else None


def measure_pictures(model: str, count: int, rounds: int) -> None:
    """Print one model's rows."""
    encoder = _with_weights(model)
    chosen, precision = encoder.chosen(), chosen_precision("auto")
    net = feature_extractor(chosen, None, "model", precision)
    plain = build(chosen).eval().to(net.device)
    files = picture_files(count)
    alone, setting = best_bare(net, count)
    few = max(BATCH, count // 8) // BATCH * BATCH
    sides = {
        "tutorial, one picture": Side(
            lambda: tutorial(plain, chosen, files[: few // 2], 1), few // 2
        ),
        f"tutorial, batch of {BATCH}": Side(
            lambda: tutorial(plain, chosen, files[:few], BATCH), few
        ),
        f"bare ({setting})": alone,
        f"ours, from files ({precision.name})": Side(lambda: ours(net, files), count),
        **_decoding_alone(net, files),
    }
    speeds = median_speeds(sides, rounds)
    single, batched, bare_speed, our_speed, *_ = speeds.values()
    for name, speed in speeds.items():
        print(f"{model:20} {name:44} {speed:10.1f} pictures/s")
    print(
        f"{model:20} ours / bare {our_speed / bare_speed:.2f} (target 0.9); ours / tutorial "
        f"{our_speed / single:.1f} (one), {our_speed / batched:.1f} (batch) (target 4)"
    )
    print(
        f"{model:20} cosine to float32 {_cosine(encoder, files[:64]):.4f} ({precision.name}, mean "
        "of 64 pictures)"
    )
    _print_busy_share(model, net, files)


def _print_busy_share(model: str, net: FeatureExtractor, files: Sequence[bytes]) -> None:
    if net.device.type == "cuda":
        with BusyShare() as busy:
            ours(net, files)
        print(f"{model:20} GPU busy {busy.share:.0%} (target 90 %)")


def _decoding_alone(net: FeatureExtractor, files: Sequence[bytes]) -> dict[str, Side]:
    sides = {"decoding alone": Side(lambda: _decoded(net, files), len(files))}
    if net.device.type == "cuda":
        sides["decoding alone, by the GPU"] = Side(lambda: _decoded_by_gpu(files), len(files))
    return sides


def _decoded(net: FeatureExtractor, files: Sequence[bytes]) -> None:
    for _ in batches(files, net.preparation, net.batch_size):
        pass


def _decoded_by_gpu(files: Sequence[bytes]) -> None:
    from torchvision.io import ImageReadMode, decode_jpeg

    for start in range(0, len(files), 256):
        encoded_files = [
            torch.frombuffer(bytearray(file), dtype=torch.uint8)
            for file in files[start : start + 256]
        ]
        decode_jpeg(encoded_files, mode=ImageReadMode.RGB, device="cuda")
    torch.cuda.synchronize()


def _with_weights(model: str) -> CNN:
    """The model's own weights where they are on this machine, else random ones."""
    trained = CNN(model=model)
    try:
        path = trained.chosen().path
    except (ModuleNotFoundError, FileNotFoundError):
        path = None
    return trained if path is not None and path.is_file() else CNN(model=model, weights="random")


def _cosine(encoder: CNN, files: Sequence[bytes]) -> float:
    features, exact = (
        encoder.set_params(precision=name).transform(files).array() for name in ("auto", "float32")
    )
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(exact, axis=1)
    return float(np.mean((features * exact).sum(axis=1) / lengths))


def measure_texts(rounds: int) -> None:
    """Print the rows of Sentence-BERT: batches in the order of the texts, and ours."""
    from sentence_transformers import SentenceTransformer

    from features.encoders.sentence_bert import SentenceBert
    from features.texts.sentence_models import MINILM, model_folder

    words = [
        "red",
        "cotton",
        "shirt",
        "with",
        "long",
        "sleeves",
        "for",
        "summer",
        "blue",
        "steel",
        "watch",
    ]
    rng = np.random.default_rng(0)
    # as uneven as product descriptions
    lengths = np.minimum(rng.lognormal(3.5, 1.0, 128).astype(int) + 3, 200)
    texts = [" ".join(rng.choice(words, length)) for length in lengths]
    plain = SentenceTransformer(str(model_folder(MINILM)), local_files_only=True)
    encoder = SentenceBert()

    def in_order() -> None:
        for start in range(0, len(texts), BATCH):
            plain.encode(texts[start:start + BATCH], batch_size=BATCH, show_progress_bar=False)

    speeds = median_speeds({f"in order, batch of {BATCH}": Side(in_order, len(texts)),
                            "ours": Side(lambda: encoder.transform(texts), len(texts))}, rounds)
    for name, speed in speeds.items():
        print(f"{MINILM:20} {name:44} {speed:10.1f} texts/s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encode", description=__doc__.partition("\n")[0]
    )
    gpu = torch.cuda.is_available()
    parser.add_argument(
        "--models", nargs="*", default=list(MODELS), help="picture models (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", type=int, default=20_000 if gpu else 192, help="for each round (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="of which the median is given (%(default)s)"
    )
    parser.add_argument("--no-texts", action="store_true", help="leave Sentence-BERT out")
    options = parser.parse_args(arguments)
    device = torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"
    print(f"{device}; torch {torch.__version__}; median of {options.rounds} rounds")
    for model in options.models:
        measure_pictures(model, options.pictures, options.rounds)
    if not options.no_texts:
        measure_texts(options.rounds)


if __name__ == "__main__":
    main()
