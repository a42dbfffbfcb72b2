"""Known terms counted and weighted: scikit-learn's results, to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from features.texts import counting
from features.texts.counting import InverseFrequencies, counted
from tests.support.paths import ROOT

WORDS = st.lists(st.sampled_from("abcde"), max_size=9)


@given(
    st.lists(WORDS, min_size=1, max_size=6),
    st.sampled_from([(1, 1), (1, 2), (2, 2), (2, 4), (3, 9)]),
    st.lists(WORDS, max_size=6),
)
def test_terms_are_counted_as_scikit_learn_does(training, ngrams, texts):
    split = {"tokenizer": str.split, "token_pattern": None, "lowercase": False}
    vectorizer = CountVectorizer(ngram_range=ngrams, dtype=np.float32, **split)
    try:
        vectorizer.fit(map(" ".join, training))
    except ValueError:  # no term at all
        return
    columns = {term: int(column) for term, column in vectorizer.vocabulary_.items()}
    expected = vectorizer.transform(map(" ".join, texts))
    counts = counted(texts, columns, ngrams)
    assert counts.dtype == np.float32
    assert same(counts, expected)


def same(here, there):
    return all(
        np.array_equal(getattr(here, name), getattr(there, name))
        for name in ("data", "indices", "indptr")
    ) and here.shape == there.shape


@pytest.mark.parametrize("at_once", [2, 10**6])
@pytest.mark.parametrize("seed", range(4))
def test_terms_are_weighted_as_scikit_learn_does(seed, at_once, monkeypatch):
    monkeypatch.setattr(counting, "ROWS_AT_ONCE", at_once)
    rng = np.random.default_rng(seed)
    shape = 40, 300
    dense = np.where(rng.random(shape) < 0.3, rng.geometric(0.4, shape), 0)
    dense[3] = 0
    counts = sparse.csr_matrix(dense.astype(np.float32))
    transformer = TfidfTransformer().fit(counts)
    before = counts.copy()
    weighted = InverseFrequencies(transformer.idf_).weighted(counts)
    assert same(weighted, transformer.transform(counts))
    assert same(counts, before)
    assert weighted.dtype == np.float32


def test_predicting_imports_no_scikit_learn():
    code = (
        "import sys; import numpy as np\n"
        "from features.encoders.tfidf import Tfidf; from models.early.baselines import TextOnly\n"
        "from models.classifiers.logistic import Logistic; from models.views import Views\n"
        "texts = ['a dog', 'a cat', 'two dogs', 'cats']\n"
        "encoder = Tfidf().fit(texts); block = encoder.transform(texts)\n"
        "model = TextOnly(Logistic(C=1.0)).fit(Views(text=block), np.array([0, 1, 0, 1]))\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'sklearn']:\n"
        "    sys.modules[name] = None\n"
        "print(model.predict_proba(Views(text=encoder.transform(['a dog', '']))).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "(2, 2)\n", done.stderr
