"""The pages of a comparison across data sets, and its critical-difference diagram."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from reports.analysis.many_data_sets import AcrossFacts
from reports.page.render import templates
from reports.wording import clean, short

AXIS, TOP, STEP = 340, 62, 22
LETTER = 6.6  # mean width of a letter in pixels
NAMED = 46  # letters of a name


def pages(facts: AcrossFacts, metric: str) -> dict[str, str]:
    """Name -> content of compare.html (complete in itself), compare.md and the diagram it shows."""
    svg = diagram(facts)
    html, markdown = templates("html"), templates("md")
    return {
        "compare.html": html.get_template("page/compare.html").render(
            facts=facts, metric=metric, svg=Markup(svg)
        ),
        "compare.md": markdown.get_template("page/compare.md").render(facts=facts, metric=metric),
        "compare.svg": svg.replace("currentColor", "black"),
    }


def diagram(facts: AcrossFacts) -> str:
    """Critical-difference diagram (Demsar 2006, figure 1) as SVG.

    Mean ranks on an axis, and bars over the methods that are not told apart.
    """
    parts = [*_axis(facts), *_bars(facts), *_labels(facts)]
    width = AXIS + 2 * _left(facts)
    height = TOP + 40 + 14 * len(facts.cliques) + STEP * ((len(facts.methods) + 1) // 2)
    described = escape(
        f"Mean ranks over {len(facts.data_sets)} data sets; best is {clean(facts.methods[0])}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'role="img" aria-label="{described}" font-family="sans-serif" font-size="12" '
        f'fill="currentColor">{"".join(parts)}</svg>\n'
    )


def _left(facts: AcrossFacts) -> int:
    """Room on either side of the axis for the longest name, its rank and the line to it."""
    longest = max(map(len, facts.methods))
    return 30 + round(LETTER * (min(longest, NAMED) + len(" (1.00)")))


def _x_of(rank: float, facts: AcrossFacts) -> float:
    return _left(facts) + AXIS * (rank - 1) / (len(facts.methods) - 1)


def _line(x1: float, y1: float, x2: float, y2: float, width: int = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-width="{width}"/>'
    )


def _text(x: float, y: float, anchor: str, content: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(clean(content))}</text>'


def _axis(facts: AcrossFacts) -> Iterator[str]:
    """The ranks, and above them the critical difference to scale."""
    k = len(facts.methods)
    yield _line(_x_of(1, facts), TOP, _x_of(k, facts), TOP)
    for rank in range(1, k + 1):
        yield _line(_x_of(rank, facts), TOP - 6, _x_of(rank, facts), TOP)
        yield _text(_x_of(rank, facts), TOP - 10, "middle", str(rank))
    end = min(_x_of(1 + facts.difference, facts), AXIS + 2 * _left(facts) - 5)
    yield _line(_x_of(1, facts), 20, end, 20, 2)
    yield _text(_x_of(1, facts), 14, "start", f"critical difference {facts.difference:.2f}")


def _bars(facts: AcrossFacts) -> Iterator[str]:
    for number, clique in enumerate(facts.cliques):
        first, last = (facts.ranks[facts.methods.index(name)] for name in (clique[0], clique[-1]))
        y = TOP + 10 + 14 * number
        yield _line(_x_of(first, facts) - 3, y, _x_of(last, facts) + 3, y, 4)


def _labels(facts: AcrossFacts) -> Iterator[str]:
    """The better half on the left, the others on the right, each joined to its rank."""
    k = len(facts.methods)
    for number, (name, rank) in enumerate(zip(facts.methods, facts.ranks, strict=True)):
        left = number < (k + 1) // 2
        y = TOP + 24 + 14 * len(facts.cliques) + STEP * (number if left else k - 1 - number)
        x = _left(facts) - 15 if left else AXIS + _left(facts) + 15
        yield _line(_x_of(rank, facts), TOP, _x_of(rank, facts), y)
        yield _line(_x_of(rank, facts), y, x + (5 if left else -5), y)
        yield _text(x, y + 4, "end" if left else "start", f"{short(name, NAMED)} ({rank:.2f})")
