"""How long a training of Word2Vec takes, and how well its vectors tell classes.

    python -m benchmarks.word2vec [--articles 2000] [--words 800]
    python -m benchmarks.word2vec --table FILE.parquet [--language en] [--texts N] [--seeds 5]

Both compare trainings whose noise words, in few passes, are of the 4,096 most frequent ones, as
they are, and of all words, as they were, when gensim built the vocabulary too. The first draws
Chinese articles from jieba's own dictionary, by its frequencies, and times the parts of a fold: the
texts cut into words, which later folds of a process find in memory; a training on four fifths; all
encoded and their words counted. The second draws training texts and tests on a fifth of the table
by several seeds, and says how well logistic regression on the means of the vectors tells the
classes, with the interval of the difference over seeds. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq

from features.encoders import word2vec
from features.encoders.word2vec import Word2Vec
from features.texts.corpus import Corpus
from features.texts.languages import Language
from features.texts.recent_words import RECENT_WORDS
from features.texts.tokenizer import Tokenizer

FOLDS = 5


def _of_gensim(trainer: Any, texts: Corpus) -> None:
    """What gensim makes of the words, as it was."""
    counts = dict(zip(texts.words, texts.counts.tolist(), strict=True))
    trainer.build_vocab_from_freq(counts, corpus_count=len(texts.lengths))


SIDES: Mapping[str, Mapping[str, Any]] = {
    "noise of all words, gensim's vocabulary": {"set_vocabulary": _of_gensim},
    "noise of all words": {"NOISE_WORDS": 2**30},
    "as it is": {"NOISE_WORDS": word2vec.NOISE_WORDS},
}
COMPARED = ("noise of all words, gensim's vocabulary", "as it is")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.word2vec", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--words", type=int, default=800, help="of an article")
    parser.add_argument("--table", type=Path, help="Parquet file with texts and classes")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--language", default="en", choices=get_args(Language))
    parser.add_argument("--texts", type=int, help="trained on (default: four fifths of the table)")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.table is None:
        _time_parts(_articles(options.articles, options.words))
    else:
        table = pq.read_table(options.table, columns=[options.text, options.label])
        texts, labels = table[options.text].to_pylist(), table[options.label].to_pylist()
        _compare(Table(texts, np.array(labels), options.language), options.texts, options.seeds)


@dataclass(frozen=True, eq=False)
class Table:
    """Texts, their classes, and their language."""

    texts: list[str]
    labels: np.ndarray
    language: Language


@contextmanager
def _side(name: str) -> Iterator[None]:
    with patch.multiple(word2vec, **SIDES[name]):
        yield


def _articles(count: int, words: int) -> list[str]:
    """Texts of words as often as jieba's dictionary has them."""
    import jieba

    lines = Path(jieba.__file__).with_name("dict.txt").read_text("utf-8").splitlines()
    entries = [line.split() for line in lines]
    vocabulary = np.array([entry[0] for entry in entries])
    shares = np.array([float(entry[1]) for entry in entries])
    drawn = np.random.default_rng(0).choice(
        vocabulary, (count, words), p=shares / shares.sum()
    )
    return ["".join(article) for article in drawn]


def _time_parts(texts: list[str]) -> None:
    begun = time.process_time()
    RECENT_WORDS.of(Tokenizer("zh"), texts, remember=True)
    print(f"{len(texts)} articles; seconds of the processor")
    print(f"  cut into words, once: {time.process_time() - begun:.1f}", flush=True)
    rows = [text for row, text in enumerate(texts) if row % FOLDS]
    for name in SIDES:
        encoder, begun = Word2Vec(language="zh"), time.process_time()
        with _side(name):
            encoder.fit(rows)
        trained = time.process_time()
        encoder.transform(texts)
        encoder.counts(texts)
        print(
            f"  {name}: trained {trained - begun:.1f}, encoded and counted "
            f"{time.process_time() - trained:.1f}", flush=True
        )


def _compare(table: Table, count: int | None, seeds: int) -> None:
    from scipy.stats import t

    accuracy: dict[str, list[float]] = {name: [] for name in COMPARED}
    for seed in range(seeds):
        test, train = np.split(
            np.random.default_rng(seed).permutation(len(table.texts)), [len(table.texts) // 5]
        )
        for name in COMPARED:
            with _side(name):
                seconds, share = _scored(table, (train[:count], test), seed)
            accuracy[name].append(share)
            print(f"seed {seed}, {name}: {seconds:.1f} s, accuracy {share:.4f}", flush=True)
    before, now = map(np.array, accuracy.values())
    half = t.ppf(0.975, seeds - 1) * np.std(now - before, ddof=1) / np.sqrt(seeds)
    print(
        f"means {before.mean():.4f} and {now.mean():.4f}, difference {(now - before).mean():+.4f}, "
        f"95 % {(now - before).mean() - half:+.4f} to {(now - before).mean() + half:+.4f}"
    )


def _scored(
    table: Table, rows: tuple[np.ndarray, np.ndarray], seed: int
) -> tuple[float, float]:
    """Seconds of the training on the first rows, and the accuracy on the second."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    of_train, of_test = ([table.texts[row] for row in part] for part in rows)
    RECENT_WORDS.of(Tokenizer(table.language), of_train, remember=True)
    encoder = Word2Vec(language=table.language, random_state=seed)
    begun = time.process_time()
    encoder.fit(of_train)
    seconds = time.process_time() - begun
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, tol=1e-3))
    model.fit(encoder.transform(of_train).array(), table.labels[rows[0]])
    predicted = model.predict(encoder.transform(of_test).array())
    return seconds, float(accuracy_score(table.labels[rows[1]], predicted))


if __name__ == "__main__":
    main()
