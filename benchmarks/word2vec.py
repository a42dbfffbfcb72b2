"""How long a training of Word2Vec takes, and what fewer passes over the texts cost.

    python -m benchmarks.word2vec [--articles 2000] [--words 800]
    python -m benchmarks.word2vec --table FILE.parquet [--text text] [--label label]

The first draws Chinese articles from jieba's own dictionary, by its frequencies, and times what a
fold does: cut the texts into words, train on four fifths of them, encode all; as it is, then with
words cut anew each time, as they were before, and with 20 passes. Seconds are of the processor. The
second trains with several numbers of passes on four fifths of a table's texts, and says how well
logistic regression on the means of their vectors tells the classes of the other fifth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq

from features.encoders import word2vec
from features.encoders.word2vec import Word2Vec
from features.texts.recent_words import RecentWords

FOLDS, PASSES = 5, (20, 10, 5, 3, 2, 1)


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
    options = parser.parse_args(arguments)
    if options.table is None:
        _time_folds(_articles(options.articles, options.words))
    else:
        table = pq.read_table(options.table, columns=[options.text, options.label])
        _score(table[options.text].to_pylist(), np.array(table[options.label].to_pylist()))


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


def _time_folds(texts: list[str]) -> None:
    nothing_kept = patch.object(word2vec, "RECENT_WORDS", RecentWords(most=0))
    print(f"{len(texts)} articles; seconds of the processor a fold, over {FOLDS} folds")
    for name, encoder, changed in (
        ("as it is", Word2Vec(language="zh"), None),
        ("words cut anew", Word2Vec(language="zh"), nothing_kept),
        ("words cut anew, 20 passes", Word2Vec(language="zh", epochs=20), nothing_kept),
    ):
        if changed is not None:
            changed.start()
        folds = FOLDS if changed is None else 1
        begun = time.process_time()
        for fold in range(folds):
            rows = [text for row, text in enumerate(texts) if row % FOLDS != fold]
            encoder.fit(rows)
            encoder.transform(texts)
        print(f"  {name}: {(time.process_time() - begun) / folds:.1f}", flush=True)
        if changed is not None:
            changed.stop()


def _score(texts: list[str], labels: np.ndarray) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    order = np.random.default_rng(0).permutation(len(texts))
    test, train = np.split(order, [len(texts) // 5])
    passes = (None, *PASSES)
    print("passes, seconds of the processor, accuracy, macro F1")
    for epochs in passes:
        encoder = Word2Vec(epochs=epochs)
        begun = time.process_time()
        encoder.fit([texts[row] for row in train])
        seconds = time.process_time() - begun
        X, of_test = (
            encoder.transform([texts[row] for row in rows]).array() for rows in (train, test)
        )
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        predicted = model.fit(X, labels[train]).predict(of_test)
        print(
            f"{epochs or 'as it is':>8} {seconds:8.1f} "
            f"{accuracy_score(labels[test], predicted):.3f} "
            f"{f1_score(labels[test], predicted, average='macro'):.3f}", flush=True
        )


if __name__ == "__main__":
    main()
