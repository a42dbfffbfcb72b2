"""The main table for a paper: LaTeX that shows exactly the names in it."""

from __future__ import annotations

import re

from reports.answer.leaderboard_rows import Row
from reports.sections.leaderboard import LeaderboardFacts
from reports.sentences.intervals import ends, plus_minus
from reports.units import duration
from reports.wording import MINUS, NONE, capitalize_first, count, metric_label, short

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    MINUS: r"$-$",
    NONE: "--",
    "↓": r"$\downarrow$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_PATTERN = re.compile("|".join(map(re.escape, _SPECIAL)))


def escaped(text: str, limit: int = 200) -> str:
    """Text on one line in which nothing is a command of TeX's."""
    return _PATTERN.sub(lambda sign: _SPECIAL[sign[0]], short(text, limit))


def main_table(board: LeaderboardFacts) -> str:
    """Ranked cells as a tabular with booktabs rules, the best score in bold."""
    metric = board.metrics[0]
    score = metric_label(metric.name)
    heading = ["", "Cell", capitalize_first(score), "95\\,\\% interval", "Fit", "Predict"]
    rows = [_row(row) for row in board.rows if row.rank is not None]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}; names beyond Latin letters need XeLaTeX or LuaLaTeX",
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{_caption(board)}}}",
            "\\begin{tabular}{rlrrrr}",
            "\\toprule",
            " & ".join(escaped(cell) if "\\" not in cell else cell for cell in heading) + r" \\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
            "",
        ]
    )


def _caption(board: LeaderboardFacts) -> str:
    metric = board.metrics[0]
    better = "higher is better" if metric.greater_is_better else "lower is better"
    return (
        f"{escaped(metric_label(metric.name))} ({better}), mean $\\pm$ standard deviation over "
        f"{count(board.folds, 'fold')}; intervals: bootstrap over {board.units} of the pooled "
        "out-of-fold predictions; times: mean per fold."
    )


def _row(row: Row) -> str:
    score = escaped(plus_minus(row.scores[0]))
    cells = [
        str(row.rank),
        escaped(row.name, 80),
        f"\\textbf{{{score}}}" if row.rank == 1 else score,
        escaped(ends(row.interval)),
        escaped(duration(row.cost.fit_seconds)),
        escaped(duration(row.cost.predict_seconds)),
    ]
    return " & ".join(cells) + r" \\"
