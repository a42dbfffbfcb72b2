"""Make the lists of an index, and measure how often they give what an exact search gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, Modality, unit_rows
from pipeline.data.samples import NOUNS
from pipeline.use.index.lists import (
    CODES,
    ROWS,
    ListFiles,
    Lists,
    arrays_file,
    empty_index,
    list_digest,
)
from pipeline.use.index.nearest import BLOCK, Comparison, among_candidates, scores
from pipeline.use.index.spaces import Space
from pipeline.use.sealed import write_arrays
from reports.wording import count

ABOVE = 1_000_000  # items up to which search is exact, unless somebody says otherwise
AT = 10  # of recall
AND = " + "  # between the names of spaces that are compared together
QUESTIONS = 100  # items whose neighbours are looked for to measure, and as many to choose probes by
LEAST_RECALL = 0.95  # on those that probes are chosen by
FEWEST_OF_LIST, TRAINED_OF_LIST = 39, 64  # vectors to learn a centroid from, as FAISS advises
# By each space that is compared, the spaces that a question's vectors come from.
Asking: TypeAlias = Mapping[Space, Sequence[Space]]


@dataclass(frozen=True)
class Agreement:
    """How approximate search compares with exact search.

    Parameters
    ----------
    questions : the most items that were asked for; each was left out of its own answer.
    probes : lists that are looked at, by the name of the space.
    lists : lists that there are, by the name of the space.
    recall : mean share of the first `AT` items of the exact answer that are among the first `AT`
        of the approximate one, by what is compared (see `compared_name`).
    """

    questions: int
    probes: Mapping[str, int]
    lists: Mapping[str, int]
    recall: Mapping[str, float]

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal."""
        yield (
            f"search is approximate (FAISS; --exact compares all). Recall@{AT} against the exact "
            f"answer, for {count(self.questions, 'item')} of the index:"
        )
        for name, recall in self.recall.items():
            yield f"  {' and '.join(map(_words, name.split(AND)))}: {recall:.3f}"

    def line(self, compared: Sequence[str]) -> str:
        """A sentence about an answer that came from comparisons in some spaces."""
        recall = self.recall.get(compared_name(compared))
        known = "not measured" if recall is None else f"{recall:.2f}"
        return (
            f"approximate search (FAISS): recall@{AT} against the exact answer was {known} for "
            f"{count(self.questions, 'item')} of the index"
        )


def compared_name(spaces: Sequence[str]) -> str:
    """What the recall of comparisons in some spaces goes by."""
    return AND.join(sorted(spaces))


def _words(space: str) -> str:
    modality, _, is_shared = space.partition("-")
    noun = NOUNS["image" if modality == "image" else "text"]
    return f"{noun}s{' in the space for both' if is_shared else ''}"


@dataclass(frozen=True, eq=False)
class Vectors:
    """What is searched.

    Parameters
    ----------
    of : (n, k) by space.
    present : bool (n,) by modality.
    """

    of: Mapping[Space, FloatArray]
    present: Mapping[Modality, NDArray[np.bool_]]

    def comparison(
        self, space: Space, question: FloatArray, lists: Lists | None = None
    ) -> Comparison:
        """Of vectors (k,) or (k, q) in a space."""
        return Comparison(self.of[space], self.present[space.modality], question, 1.0, lists)


def make_lists(folder: Path, vectors: Vectors) -> Agreement:
    """Write lists of the vectors of each space into a folder, and measure what they do."""
    lists: dict[Space, Lists] = {}
    for space, of_space in vectors.of.items():
        rows = np.flatnonzero(vectors.present[space.modality])
        if len(rows):
            _write(folder, space.name, of_space, rows)
            files = ListFiles.read(folder, space.name)
            lists[space] = Lists(space.name, files, len(of_space), len(files.ends), 0)
    recall: dict[str, float] = {}
    questions = 0
    for asking in _askings(list(lists)):
        asked = _Asked.drawn(vectors, asking)
        if len(asked.rows) < 2:
            continue
        if len(asking) == 1:
            (space,) = asking
            lists[space].probes = _chosen_probes(vectors, lists[space], asked.part(0))
        measured = asked.part(1)
        questions = max(questions, len(measured.rows))
        name = compared_name([space.name for space in asking])
        recall[name] = _recall(vectors, lists, measured, _exact(vectors, measured))
    return Agreement(
        questions,
        {space.name: of_space.probes for space, of_space in lists.items()},
        {space.name: len(of_space) for space, of_space in lists.items()},
        recall,
    )


def list_count(m: int) -> int:
    """Lists for m vectors: the power of two next to 2 sqrt(m), and not more than can be learned."""
    most = max(1, m // FEWEST_OF_LIST)
    return int(min(2 ** round(np.log2(2 * np.sqrt(m))), most))


def _write(folder: Path, name: str, vectors: FloatArray, rows: NDArray[np.int64]) -> None:
    import faiss

    index = empty_index(vectors.shape[1], list_count(len(rows)))
    drawn = np.random.default_rng(0).permutation(rows)[: TRAINED_OF_LIST * index.nlist]
    index.cp.min_points_per_centroid = 1  # of few vectors it would warn
    index.train(np.ascontiguousarray(vectors[np.sort(drawn)]))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        index.add_with_ids(np.ascontiguousarray(vectors[part]), part)
    sizes, digests = [], []
    with (folder / f"{name}.{CODES}").open("wb") as codes_file, \
            (folder / f"{name}.{ROWS}").open("wb") as rows_file:
        for codes, of_list in _entries(index):
            codes_file.write(codes.data)
            rows_file.write(of_list.data)
            sizes.append(len(of_list))
            digests.append(np.frombuffer(list_digest(codes, of_list), np.uint8))
    arrays = {
        "centroids": index.quantizer.reconstruct_n(0, index.nlist),
        "trained": faiss.vector_to_array(index.sq.trained),
        "ends": np.cumsum(sizes, dtype=np.int64),
        "digests": np.stack(digests),
    }
    write_arrays(arrays, folder / arrays_file(name))


def _entries(index: Any) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Codes (s, k) and rows (s,) of each list of FAISS's index."""
    import faiss

    lists = index.invlists
    for number in range(index.nlist):
        size = lists.list_size(number)
        if not size:
            yield np.zeros((0, lists.code_size), np.uint8), np.zeros(0, np.int64)
            continue
        codes = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size)
        rows = faiss.rev_swig_ptr(lists.get_ids(number), size)
        yield np.array(codes).reshape(size, -1), np.array(rows, np.int64)


def _askings(spaces: Sequence[Space]) -> list[Asking]:
    """What may be compared, alone before together, as `Index.comparisons` and `recommend` do it."""
    modalities = tuple(dict.fromkeys(space.modality for space in spaces))
    together: list[Asking] = [
        {space: (space,) for space in spaces if not space.shared}
    ]
    for asked in dict.fromkeys([*((modality,) for modality in modalities), modalities]):
        compared = [Space(modality, shared=asked != (modality,)) for modality in modalities]
        together.append({
            space: tuple(Space(modality, space.shared) for modality in asked)
            for space in compared
            if space in spaces
        })
    parts = chain.from_iterable(asking.items() for asking in together)
    alone: list[Asking] = [{space: sources} for space, sources in parts]
    askings: dict[frozenset[Space], Asking] = {}
    for asking in filter(None, [*alone, *together]):
        askings.setdefault(frozenset(asking), asking)
    return list(askings.values())


@dataclass(frozen=True, eq=False)
class _Asked:
    """Items whose neighbours are looked for, by their own vectors.

    Parameters
    ----------
    rows : (q,), each left out of its own answer.
    questions : (q, k) by the space that they are compared in.
    """

    rows: NDArray[np.int64]
    questions: Mapping[Space, FloatArray]

    @classmethod
    def drawn(cls, vectors: Vectors, asking: Asking) -> _Asked:
        """At most twice QUESTIONS of the items that have what is asked with."""
        modalities = {space.modality for space in chain.from_iterable(asking.values())}
        there = np.all([vectors.present[modality] for modality in modalities], axis=0)
        rows = np.random.default_rng(0).permutation(np.flatnonzero(there))[: 2 * QUESTIONS]
        return cls(rows, {
            space: unit_rows(np.sum([vectors.of[source][rows] for source in sources], axis=0))
            for space, sources in asking.items()
        })

    def part(self, start: int) -> _Asked:
        """Every second one, from the first or the second on."""
        questions = {space: values[start::2] for space, values in self.questions.items()}
        return _Asked(self.rows[start::2], questions)


def _chosen_probes(vectors: Vectors, lists: Lists, asked: _Asked) -> int:
    """The fewest lists, of 1, 2, 4 ... and all, with a recall of LEAST_RECALL."""
    (space,) = asked.questions
    exact = _exact(vectors, asked)
    lists.probes = 1
    while lists.probes < len(lists):
        if _recall(vectors, {space: lists}, asked, exact) >= LEAST_RECALL:
            break
        lists.probes = min(2 * lists.probes, len(lists))
    return lists.probes


def _exact(vectors: Vectors, asked: _Asked) -> list[set[int]]:
    """The first AT items for each question: as `nearest`, for all questions in a pass."""
    comparisons = [
        vectors.comparison(space, questions.T) for space, questions in asked.questions.items()
    ]
    n, q = len(comparisons[0].vectors), len(asked.rows)
    rows, best = np.zeros((0, q), np.int64), np.zeros((0, q), np.float32)
    for start in range(0, n, BLOCK):
        block = scores(comparisons, slice(start, min(start + BLOCK, n)))
        inside = np.flatnonzero((asked.rows >= start) & (asked.rows < start + len(block)))
        block[asked.rows[inside] - start, inside] = -np.inf
        numbers = np.broadcast_to(np.arange(start, start + len(block))[:, None], block.shape)
        rows, best = np.concatenate([rows, numbers]), np.concatenate([best, block])
        order = np.argpartition(-best, min(AT, len(best)) - 1, axis=0)[:AT]
        rows, best = np.take_along_axis(rows, order, 0), np.take_along_axis(best, order, 0)
    return [
        set(of_question[np.isfinite(values)].tolist())
        for of_question, values in zip(rows.T, best.T, strict=True)
    ]


def _recall(
    vectors: Vectors, lists: Mapping[Space, Lists], asked: _Asked, exact: Sequence[set[int]]
) -> float:
    """Mean share of the exact answers that the lists give, too."""
    allowed = np.ones(len(next(iter(vectors.of.values()))), np.bool_)
    shares = []
    for at, (row, answer) in enumerate(zip(asked.rows.tolist(), exact, strict=True)):
        comparisons = [
            vectors.comparison(space, questions[at], lists[space])
            for space, questions in asked.questions.items()
        ]
        allowed[row] = False
        rows, _ = among_candidates(comparisons, AT, allowed)
        allowed[row] = True
        shares.append(len(answer & set(rows.tolist())) / len(answer) if answer else 1.0)
    return float(np.mean(shares))
