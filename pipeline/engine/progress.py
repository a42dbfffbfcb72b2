"""Progress with remaining time: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[..., None]  # (what has ended, how many pieces of work that were)
LINES = 10  # plain lines a stage prints at most, besides its first and last


def say(text: str) -> None:
    """Tell the user, beside the progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str, total: int) -> Iterator[Report]:
    """Yield a function to call with a short text whenever one of `total` pieces of work has ended."""
    if not total:
        yield lambda text, count=1: None
    elif sys.stderr.isatty():
        with _bar(title, total) as report:
            yield report
    else:
        yield _lines(title, total)


@contextmanager
def _bar(title: str, total: int) -> Iterator[Report]:
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn(f"{title:10}"), bars.BarColumn(), bars.MofNCompleteColumn(),
               bars.TimeElapsedColumn(), bars.TextColumn("left"), bars.TimeRemainingColumn(),
               bars.TextColumn("[dim]{task.description}"))
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda text, count=1: bar.update(task, advance=count, description=text)


def _lines(title: str, total: int) -> Report:
    begun, done, printed = time.monotonic(), 0, 0
    print(f"{title}: {total} to do", file=sys.stderr, flush=True)

    def report(text: str, count: int = 1) -> None:
        nonlocal done, printed
        done += count
        if done * LINES // total > printed or done == total:
            printed = done * LINES // total
            spent = time.monotonic() - begun
            left = spent / done * (total - done)
            print(
                f"{title}: {done}/{total}, {spent:.0f} s, {left:.0f} s left ({text})",
                file=sys.stderr,
                flush=True,
            )

    return report
