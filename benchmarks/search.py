"""Search of an index, exact and by lists, beside FAISS alone: seconds for a question, and recall.

Run by hand: ``python -m benchmarks.search [--items N] [--width K] [--questions N]``. Vectors of
norm 1 around 2,000 centres, in a file that is mapped, as an index has them; questions are vectors
near some of them. Sides: `pipeline.use.index.nearest.nearest`, exact, and by lists as
pipeline.use.index.listing makes them; a product with all vectors and a sort of all scores; FAISS's
IndexFlatIP, which holds a copy of the vectors; and its IndexIVFFlat with 1,024 lists of which 16
are looked at, trained on 50,000 vectors. Seconds are medians over the questions, asked one by one
in turn, by the clock and of the processor; recall is the share of the ten exact nearest items that
a side gives. Sides with FAISS are left out where the package (faiss-cpu) is missing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.use.index.listing import Vectors, make_lists
from pipeline.use.index.lists import ListFiles, Lists, has_faiss
from pipeline.use.index.nearest import Comparison, nearest
from pipeline.use.index.spaces import Space

AT = 10
CENTRES, LISTS, PROBES, TRAINED_ON = 2000, 1024, 16, 50_000
Search = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def made_up(count: int, width: int, file: Path) -> NDArray[np.float32]:
    """Vectors (n, k) in a file."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, width), np.float32)
    vectors = np.memmap(file, np.float32, mode="w+", shape=(count, width))
    for start in range(0, count, 50_000):
        part = centres[rng.integers(0, CENTRES, min(50_000, count - start))]
        part = part + rng.standard_normal(part.shape, np.float32)
        vectors[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def ours(vectors: NDArray[np.float32]) -> Search:
    """Block by block."""
    present = np.ones(len(vectors), np.bool_)
    return lambda question: nearest({"text": Comparison(vectors, present, question)}, AT).rows


def by_lists(vectors: NDArray[np.float32], folder: Path) -> dict[str, Search]:
    """Candidates of lists, made as `python -m pipeline.index` makes them; that is timed."""
    if not has_faiss():
        return {}
    space, present = Space("text", shared=False), np.ones(len(vectors), np.bool_)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    agreement = make_lists(folder, Vectors({space: vectors}, {"text": present}))
    print(f"lists: made and measured in {time.perf_counter() - begun:.1f} s "
          f"({time.process_time() - begun_cpu:.1f} s of the processor); {agreement}", flush=True)
    probes = agreement.probes[space.name]
    lists = Lists(space.name, ListFiles.read(folder, space.name), len(vectors), probes, 0)
    return {
        f"by lists, {probes} of {len(lists)}": lambda question: nearest(
            {"text": Comparison(vectors, present, question, lists=lists)}, AT
        ).rows
    }


def sorted_scores(vectors: NDArray[np.float32]) -> Search:
    """All scores, sorted."""
    return lambda question: np.argsort(-(vectors @ question), kind="stable")[:AT]


def by_faiss(index: Any) -> Search:
    """The rows that an index of FAISS gives."""
    return lambda question: np.asarray(index.search(question[None], AT)[1][0])


def faiss_sides(vectors: NDArray[np.float32]) -> dict[str, Search]:
    """Flat and IVF; building is timed."""
    if not has_faiss():
        print("FAISS is not installed")
        return {}
    import faiss

    begun = time.perf_counter()
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(np.asarray(vectors))
    print(f"FAISS flat: built in {time.perf_counter() - begun:.1f} s", flush=True)
    begun = time.perf_counter()
    quantiser = faiss.IndexFlatIP(vectors.shape[1])
    lists = faiss.IndexIVFFlat(quantiser, vectors.shape[1], LISTS, faiss.METRIC_INNER_PRODUCT)
    lists.train(np.asarray(vectors[:: max(1, len(vectors) // TRAINED_ON)]))
    lists.add(np.asarray(vectors))
    lists.nprobe = PROBES
    print(f"FAISS IVF: built in {time.perf_counter() - begun:.1f} s", flush=True)
    return {"FAISS flat": by_faiss(flat), f"FAISS IVF, {PROBES} of {LISTS}": by_faiss(lists)}


def measured(
    sides: dict[str, Search], questions: NDArray[np.float32]
) -> dict[str, tuple[float, float, float]]:
    """Median seconds by the clock and of the processor, and mean recall, of each side."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    recalls: dict[str, list[float]] = {name: [] for name in sides}
    for question in questions:
        exact: set[int] = set()
        for name, search in sides.items():
            begun, begun_cpu = time.perf_counter(), time.process_time()
            rows = set(search(question).tolist())
            seconds[name].append(time.perf_counter() - begun)
            processor[name].append(time.process_time() - begun_cpu)
            exact = exact or rows
            recalls[name].append(len(rows & exact) / AT)
    return {
        name: (
            statistics.median(seconds[name]),
            statistics.median(processor[name]),
            statistics.mean(recalls[name]),
        )
        for name in sides
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--questions", type=int, default=30)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        vectors = made_up(options.items, options.width, Path(folder) / "vectors.f32")
        rng = np.random.default_rng(1)
        noise = rng.standard_normal((options.questions, options.width), np.float32)
        asked = vectors[rng.integers(0, len(vectors), options.questions)] + 0.03 * noise
        asked /= np.linalg.norm(asked, axis=1, keepdims=True)
        sides = {"exact": ours(vectors)}
        sides |= by_lists(vectors, Path(folder))
        sides |= {"all scores sorted": sorted_scores(vectors)}
        sides |= faiss_sides(vectors)
        print(f"{len(vectors):,} vectors of {options.width}, {vectors.nbytes / 1e9:.2f} GB")
        for name, (seconds, processor, recall) in measured(sides, asked).items():
            print(f"{name:26} {seconds * 1000:9.1f} ms a question, {processor * 1000:9.1f} of the "
                  f"processor  recall@10 {recall:.3f}")


if __name__ == "__main__":
    main()
