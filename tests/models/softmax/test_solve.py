"""Softmax regression: the solutions are scikit-learn's, one by one and all at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from models.softmax import path
from models.softmax import problem as batching
from models.softmax import solve as solving
from models.softmax.design_matrix import design, principal_axes
from models.softmax.design_matrix.principal_axes import transform
from models.softmax.design_matrix.transformed_block import IndexedBlock
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve

TIGHT = {"tol": 1e-9, "max_iter": 10_000}


def samples(n=150, d=12, k=4, seed=0):
    """Overlapping classes in columns of different spread and offset."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    X = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(k, d))[y]
    return (X * np.geomspace(0.3, 3, d) + rng.normal(size=d)).astype(np.float32), y


def words(n=150, d=60, k=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    rates = rng.gamma(0.3, 0.5, size=(k, d))
    return sparse.csr_matrix(rng.poisson(rates[y]).astype(np.float32)), y


def reference(X, y, problem):
    """The same problem by scikit-learn in float64."""
    X = (X.toarray() if sparse.issparse(X) else X)[problem.rows].astype(np.float64)
    scale = 1.0 if problem.scale is None else problem.scale
    model = LogisticRegression(C=problem.C, **TIGHT)
    model.fit((X - X.mean(axis=0)) * scale, y[problem.rows], sample_weight=problem.weights)
    coef = model.coef_ * scale
    return coef, model.intercept_ - coef @ X.mean(axis=0)


def objective(X, y, problem, solution):
    """What is minimised, in float64."""
    logits = (
        X[problem.rows].astype(np.float64) @ solution.coef.T.astype(np.float64) + solution.intercept
    )
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    loss = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), y[problem.rows]]
    return loss.sum() + 0.5 / problem.C * np.square(solution.coef, dtype=np.float64).sum()


def assert_same(solution, expected, tolerance=2e-3):
    coef, intercept = expected
    assert solution.converged
    assert solution.coef.shape == coef.shape
    assert np.abs(solution.coef - coef).max() <= tolerance * np.abs(coef).max()
    assert solution.intercept == pytest.approx(
        intercept, abs=tolerance * (1 + np.abs(intercept).max())
    )


@pytest.mark.parametrize("C", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize(("n", "d", "k"), [(150, 12, 4), (60, 200, 3), (150, 12, 2), (40, 90, 2)])
def test_dense_solutions_are_scikit_learns(n, d, k, C):
    X, y = samples(n, d, k)
    problem = Problem(np.arange(5, n), C)
    assert_same(solve(X, y, [problem])[0], reference(X, y, problem))


def leading(n, d, k, rank=40):
    """Few directions that vary much, and noise in all others."""
    rng = np.random.default_rng(n)
    y = rng.permutation(np.arange(n) % k)
    latent = rng.normal(size=(n, rank)) + 0.5 * rng.normal(size=(k, rank))[y]
    return (5 * latent @ rng.normal(size=(rank, d)) + rng.normal(size=(n, d))).astype(np.float32), y


@pytest.mark.parametrize(
    ("n", "d", "k", "strengths", "noise"),
    [
        (400, 1200, 2, [1.0], True),
        (300, 310, 4, [0.01, 0.1, 1.0], True),
        (300, 600, 4, [0.1, 1.0], False),
    ],
)
def test_objectives_are_the_smallest_to_a_millionth(n, d, k, strengths, noise):
    """Also where nearly all rows are certain, and where rows are almost or wholly dependent."""
    X, y = leading(n, d, k)
    if not noise:
        X = X[:, :20] @ np.random.default_rng(0).normal(size=(20, d)).astype(np.float32)
    problems = [Problem(np.arange(n), C) for C in strengths]
    for problem, solution in zip(problems, solve(X, y, problems), strict=True):
        smallest = objective(
            X, y, problem, Solution(solution.classes, *reference(X, y, problem), 0, 0, 0, True)
        )
        assert solution.converged
        assert objective(X, y, problem, solution) <= smallest * (1 + 1e-6)


@pytest.mark.parametrize("C", [1e-2, 1.0])
@pytest.mark.parametrize("k", [2, 4])
def test_sparse_solutions_are_scikit_learns(k, C):
    X, y = words(k=k)
    problem = Problem(np.arange(100), C)
    assert_same(solve(X, y, [problem])[0], reference(X, y, problem))


@pytest.mark.parametrize("width", [5, 120])
def test_blocks_side_by_side_are_one_matrix(width):
    """Few dense columns leave the sparse block sparse; many join it in the rows' own space."""
    dense, y = samples(d=width)
    bag, _ = words()
    problem = Problem(np.arange(20, 130), 0.1, scale=np.linspace(0.5, 2, width + 60))
    solution = solve([dense, bag], y, [problem])[0]
    assert_same(solution, reference(np.hstack([dense, bag.toarray()]), y, problem))
    rows = np.arange(20)
    logits = np.hstack([dense, bag.toarray()])[rows] @ solution.coef.T + solution.intercept
    probabilities = solution.probabilities([dense, bag], rows, 4)
    assert probabilities == pytest.approx(
        np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rel=1e-4
    )


@pytest.mark.parametrize("shape", [(150, 12), (40, 90)])
def test_scale_and_weights_are_scikit_learns(shape):
    X, y = samples(*shape)
    rng = np.random.default_rng(1)
    problem = Problem(np.arange(4, shape[0]), 0.5, scale=1 / X[4:].std(axis=0),
                      weights=rng.uniform(0.1, 3, size=shape[0] - 4))
    assert_same(solve(X, y, [problem])[0], reference(X, y, problem))


def test_a_sample_of_the_rows_suffices_for_the_preconditioner(monkeypatch):
    X, y = samples(n=300, d=40)
    problem = Problem(np.arange(300), 1.0, weights=np.linspace(0.5, 2, 300))
    everything = solve(X, y, [problem])[0]
    monkeypatch.setattr(path, "BLOCK_ROWS", 60)
    sampled = solve(X, y, [problem])[0]
    assert_same(sampled, reference(X, y, problem))
    assert (
        sampled.n_iter != everything.n_iter or sampled.coef.tobytes() != everything.coef.tobytes()
    )


def test_the_exact_block_saves_iterations(monkeypatch):
    X, y = samples(n=300, d=40)
    with_block = solve(X, y, [Problem(np.arange(300), 10.0)])[0]
    monkeypatch.setattr(path, "LARGEST_BLOCK", 0)
    assert with_block.n_iter < solve(X, y, [Problem(np.arange(300), 10.0)])[0].n_iter


def test_whole_weights_are_repeated_rows():
    X, y = samples()
    rows = np.arange(100)
    times = np.arange(100) % 3 + 1
    weighted, repeated = solve(X, y, [Problem(rows, 0.3, weights=times.astype(float)),
                                      Problem(np.repeat(rows, times), 0.3)])
    assert weighted.coef == pytest.approx(
        repeated.coef, abs=2e-3 * float(np.abs(repeated.coef).max())
    )


def test_absent_classes_do_not_compete():
    X, y = samples(k=5)
    rows = np.flatnonzero((y != 1) & (y != 4))
    problem = Problem(rows, 0.2)
    solution = solve(X, y, [problem])[0]
    assert solution.classes.tolist() == [0, 2, 3]
    assert_same(solution, reference(X, y, problem))
    model = LogisticRegression(C=0.2, **TIGHT).fit(X[rows], y[rows])
    probabilities = solution.probabilities(X, np.arange(len(y)), 5)
    assert (probabilities[:, [1, 4]] == 0).all()
    assert probabilities[:, [0, 2, 3]] == pytest.approx(model.predict_proba(X), abs=1e-3)


def test_two_classes_give_scikit_learns_probabilities():
    X, y = samples(k=2)
    rows = np.arange(100)
    probabilities = solve(X, y, [Problem(rows, 0.05)])[0].probabilities(X, np.arange(100, 150), 2)
    model = LogisticRegression(C=0.05, **TIGHT).fit(X[rows], y[rows])
    assert probabilities == pytest.approx(model.predict_proba(X[100:]), abs=1e-3)


@pytest.mark.parametrize("make", [samples, words])
def test_held_out_rows_have_no_influence(make):
    X, y = make()
    rows = np.arange(30, 150)
    problems = [Problem(rows, C) for C in (0.01, 1.0)]
    before = solve(X, y, problems)
    X, y = X.copy(), y.copy()
    entries = X[:30].ravel() if make is samples else X.data[:X.indptr[30]]
    entries[:] = 3e38
    y[:30] = 3
    assert abs(X[:30]).max() > 1e38
    for old, new in zip(before, solve(X, y, problems), strict=True):
        assert old.coef.tobytes() == new.coef.tobytes()
        assert old.intercept.tobytes() == new.intercept.tobytes()


def test_a_batch_gives_what_each_problem_gives_alone():
    X, y = samples(n=200, d=30)
    folds = [np.flatnonzero(np.arange(200) % 5 != fold) for fold in range(5)]
    problems = [Problem(rows, C) for C, rows in itertools.product((10.0, 0.01, 0.3), folds)]
    for problem, together in zip(problems, solve(X, y, problems), strict=True):
        alone = solve(X, y, [problem])[0]
        values = [objective(X, y, problem, solution) for solution in (together, alone)]
        assert values[0] == pytest.approx(values[1], rel=1e-6)
        # known in single precision only
        assert together.objective == pytest.approx(values[0], rel=1e-5)
        assert together.coef == pytest.approx(
            alone.coef, abs=1e-3 * float(np.abs(alone.coef).max())
        )


def test_a_strength_starts_from_the_ones_before_it():
    X, y = samples(n=300, d=40)
    problems = [Problem(np.arange(300), C) for C in (100.0, 1.0, 10.0, 30.0, 3.0)]
    together = solve(X, y, problems)
    for problem, solution in zip(problems, together, strict=True):
        assert_same(solution, reference(X, y, problem))
    alone = [solve(X, y, [problem])[0].n_iter for problem in problems]
    assert together[1].n_iter == alone[1]
    assert sum(solution.n_iter for solution in together) < 0.8 * sum(alone)


def test_solving_twice_gives_the_same_bytes():
    X, y = samples()
    problems = [Problem(np.arange(100), C) for C in (0.01, 1.0)]
    first, second = solve(X, y, problems), solve(X, y, problems)
    for solution, again in zip(first, second, strict=True):
        assert solution.coef.tobytes() == again.coef.tobytes()


def test_all_impossible_problems_are_named():
    X, y = samples()
    with pytest.raises(
        ValueError, match=r"(?s)problem 1: C must .*problem 2: its \d+ training"
    ) as raised:
        solve(X, y, [Problem(np.arange(9), 1.0), Problem(np.arange(9), 0.0),
                     Problem(np.flatnonzero(y == 2), 1.0)])
    assert "problem 0" not in str(raised.value)


@pytest.mark.parametrize("C", [np.inf, 1e38, 1e-38, np.nan, -1.0])
def test_strengths_that_single_precision_cannot_hold_are_refused(C):
    X, y = samples()
    with pytest.raises(ValueError, match=r"problem 0: C must be positive, 1e-37 to 1e\+37, not "):
        solve(X, y, [Problem(np.arange(100), C)])


@pytest.mark.parametrize("C", [1e-37, 1e37])
def test_the_strongest_and_the_weakest_penalty_are_solved(C):
    y = np.arange(40) % 3
    X = np.eye(3, dtype=np.float32)[y]
    probabilities = solve(X, y, [Problem(np.arange(40), C)])[0].probabilities(X, np.arange(40), 3)
    expected = np.bincount(y) / 40 if C < 1 else np.eye(3)[y]
    np.testing.assert_allclose(
        probabilities, np.broadcast_to(expected, probabilities.shape), atol=1e-3
    )


def test_weights_that_single_precision_makes_zero_are_zero():
    X, y = samples()
    weights = np.ones(100)
    weights[7] = 1e-50
    tiny, none = solve(
        X,
        y,
        [Problem(np.arange(100), 1.0, weights=given) for given in (weights, np.round(weights))],
    )
    np.testing.assert_array_equal(tiny.coef, none.coef)


def test_too_few_iterations_are_admitted():
    X, y = samples()
    with pytest.warns(
        ConvergenceWarning, match="1 softmax regressions have not converged, .* lower C"
    ):
        solution = solve(X, y, [Problem(np.arange(100), 10.0)], max_iter=2)[0]
    assert not solution.converged
    assert solution.n_iter == 2


@given(n=st.integers(12, 60), d=st.integers(1, 70), k=st.integers(2, 5),
       strength=st.floats(-3, 1.5), weighted=st.booleans(), seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_the_gradient_vanishes_at_the_solution(n, d, k, strength, weighted, seed):
    """Checked in float64 against the objective's own gradient, from the features as they are."""
    X, y = samples(n, d, k, seed)
    C, rows = 10.0 ** strength, np.arange(n)
    weights = np.random.default_rng(seed).uniform(0.2, 2, n) if weighted else np.ones(n)
    solution = solve(
        X, y, [Problem(rows, C, weights=weights if weighted else None)], tolerance=1e-8
    )[0]
    residual = (solution.probabilities(X, rows, k) - np.eye(k)[y]) * weights[:, None]
    gradient = residual.T @ X.astype(np.float64)
    coef = solution.coef if k > 2 else np.vstack([np.zeros(d), solution.coef])
    # Two classes: the first has no vector of its own, so its row of the gradient is not zero.
    left = (gradient + coef / C)[int(k == 2):]
    size = np.abs(np.eye(k)[y] - 1 / k).T @ np.abs(X)
    assert np.abs(left).max() <= 2e-3 * size.max()
    assert np.abs(residual.sum(axis=0)).max() <= 2e-3 * n


def test_inner_folds_share_products_and_keep_their_rows(monkeypatch):
    """Rows of the same training sets are multiplied once for all problems with them."""
    X, y = samples(n=120, d=10)
    fold = np.arange(120) % 3
    sets = [np.flatnonzero(fold != number) for number in range(3)]
    seen, logits = [], design.DesignMatrix.logits
    monkeypatch.setattr(
        design.DesignMatrix,
        "logits",
        lambda self, weights, group: seen.append(len(weights)) or logits(self, weights, group),
    )
    problems = [Problem(rows, C) for rows, C in itertools.product(sets, (0.1, 1.0))]
    solutions = solve(X, y, problems)
    assert seen[:3] == [2 * 3] * 3  # each third: two sets, classes but one
    for rows, solution in zip(sets, solutions[::2], strict=True):
        assert_same(solution, reference(X, y, Problem(rows, 0.1)))


def test_equal_samples_are_one_row():
    """Distinct rows stand for all samples: repeated texts cost next to nothing."""
    rng = np.random.default_rng(3)
    texts, y = samples(n=24, d=40)
    index = rng.integers(0, 24, size=160)
    # equal texts, different classes
    labels = np.where(np.arange(160) % 5 == 0, (y[index] + 1) % 4, y[index])
    problem = Problem(np.arange(20, 160), 0.4)
    counts = np.bincount(index[20:], minlength=24)
    block = IndexedBlock(transform(texts, counts=np.maximum(counts, 1)), index)
    solution = solve(block, labels, [problem])[0]
    assert_same(solution, reference(texts[index], labels, problem))


@pytest.mark.parametrize("other", ["tall", "wide", "sparse"])
def test_factors_are_multiplied_columns(other):
    X, y = samples(n=90, d=12)
    bag, _ = words(n=90)
    more = {
        "tall": samples(n=90, d=7, seed=1)[0],
        "wide": samples(n=90, d=130, seed=1)[0],
        "sparse": bag,
    }[other]
    sets = [np.flatnonzero(np.arange(90) % 3 != number) for number in range(3)]
    problems = [Problem(rows, 0.3, factors=(0.5 + number, 1.7)) for number, rows in enumerate(sets)]
    dense = more.toarray() if sparse.issparse(more) else more
    for problem, solution in zip(problems, solve([X, more], y, problems), strict=True):
        factors = np.repeat(problem.factors, [12, dense.shape[1]])
        plain = Problem(problem.rows, problem.C, scale=factors)
        assert_same(solution, reference(np.hstack([X, dense]), y, plain))


def test_sets_with_little_in_common_are_solved_apart():
    X, y = samples(n=120, d=200)
    sets = [np.arange(start, start + 20) for start in range(0, 120, 20)]
    for rows, solution in zip(
        sets, solve(X, y, [Problem(rows, 0.2) for rows in sets]), strict=True
    ):
        assert_same(solution, reference(X, y, Problem(rows, 0.2)))


def test_many_problems_go_in_portions_that_part_no_strengths_of_a_training_set(monkeypatch):
    X, y = samples()
    problems = [
        Problem(np.arange(start, 100 + start), C)
        for C, start in itertools.product((0.01, 0.1, 1.0), (0, 20))
    ]
    together = solve(X, y, problems)
    portions, minimise = [], solving.minimise

    def recorded(design, fits, *stopping):
        portions.append([(fit.number, fit.C) for fit in fits])
        minimise(design, fits, *stopping)

    monkeypatch.setattr(solving, "minimise", recorded)
    monkeypatch.setattr(batching, "AT_ONCE", 1)
    apart = solve(X, y, problems)
    strengths = (0.01, 0.1, 1.0)
    assert portions[0] == [(0, C) for C in strengths]
    assert portions[1:] == [[(1, C) for C in strengths]]
    for joint, other in zip(together, apart, strict=True):
        assert joint.coef == pytest.approx(other.coef, abs=1e-3 * float(np.abs(other.coef).max()))


def test_random_training_sets_have_too_many_groups_to_share():
    X, y = samples()
    rng = np.random.default_rng(0)
    problems = [Problem(np.sort(rng.permutation(150)[:100]), 0.3) for _ in range(8)]
    for problem, solution in zip(problems, solve(X, y, problems), strict=True):
        assert_same(solution, reference(X, y, problem))


@pytest.mark.parametrize("shape", [(200, 90), (60, 150)])
def test_leading_axes_come_first_and_rotate_nothing_else(shape):
    X = samples(*shape)[0]
    scale = np.linspace(0.5, 2, shape[1])
    transformed = transform(X, scale, axes=20)
    weights = np.random.default_rng(0).normal(size=(3, transformed.width)).astype(np.float32)
    coef, intercept = transformed.to_original(weights)
    np.testing.assert_allclose(X @ coef.T + intercept, transformed.rows @ weights.T, atol=2e-3)
    np.testing.assert_allclose(
        (coef / scale) @ (coef / scale).T, weights @ weights.T, rtol=1e-4, atol=1e-3
    )
    exact = np.linalg.svd((X - X.mean(axis=0)) * scale, compute_uv=False)
    norms = np.linalg.norm(transformed.rows[:, :5], axis=0)
    np.testing.assert_allclose(norms, exact[:5], rtol=0.05)


@pytest.mark.parametrize(("k", "C"), [(4, 0.1), (3, 10.0)])
def test_leading_axes_save_iterations_and_change_no_solution(k, C, monkeypatch):
    """Where finding all axes would cost more than they save."""
    X, y = samples(n=250, d=200, k=k)
    monkeypatch.setattr(principal_axes, "PRICE", 0)
    problem = Problem(np.arange(250), C)
    led = solve(X, y, [problem])[0]
    assert_same(led, reference(X, y, problem), 4e-3)
    monkeypatch.setattr(principal_axes, "MOST_LEADING", 1)
    assert led.n_iter < solve(X, y, [problem])[0].n_iter


@pytest.mark.parametrize("C", [0.01, 10.0])
@pytest.mark.parametrize("alike", [1, 4])
def test_fewer_rows_than_columns_are_solved_without_axes(C, alike, monkeypatch):
    """Also where rows depend on each other."""
    monkeypatch.setattr(principal_axes, "PRICE", 0)
    X, y = samples(40, 90, 2)
    X = X[np.arange(40) // alike]
    problem = Problem(np.arange(40), C, np.linspace(0.5, 2, 90))
    assert transform(X, axes=0).dense_as_given
    # the promise is of the objective; coefficients to 2e-3 take a smaller gap in columns as given
    solution = solve(X, y, [problem], tolerance=1e-10)[0]
    assert_same(solution, reference(X, y, problem))


def test_rows_without_any_difference_leave_the_intercept(monkeypatch):
    monkeypatch.setattr(principal_axes, "PRICE", 0)
    X, y = np.ones((40, 90), np.float32), (np.arange(40) % 4 == 0).astype(np.int64)
    solution = solve(X, y, [Problem(np.arange(40), 1.0)])[0]
    assert not solution.coef.any()
    assert solution.probabilities(X, np.arange(3), 2)[:, 1] == pytest.approx([0.25] * 3, abs=1e-3)
