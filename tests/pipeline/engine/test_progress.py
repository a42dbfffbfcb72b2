"""What is said of a run while it goes on, where there is no terminal and where there is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from features.advance import advance
from pipeline.engine import progress as module
from pipeline.engine.news import News
from pipeline.engine.progress import counted, progress, quiet, scored, showing, silence, step
from pipeline.engine.showing.state import Score, State
from pipeline.engine.task import Done, Shown
from pipeline.store.folder import FolderStore
from pipeline.store.store import Store

STORE = FolderStore(Path("never written"))


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    """A task that does nothing."""

    stage: ClassVar[str] = "Fits"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    label: str

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.label,)

    def compute(self, store: Store) -> dict[str, Any]:
        return {self.label: Done(1.0, reused=False)}


class Log:
    """What is written to where no terminal is."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    @property
    def lines(self) -> list[str]:
        """All so far."""
        self._text += self._capsys.readouterr().err
        return self._text.splitlines()


@pytest.fixture
def log(monkeypatch, capsys) -> Log:
    """What is said, by a display that nothing but the test moves on."""
    monkeypatch.setattr(module, "TICK", 3600.0)
    return Log(capsys)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Seconds that a test sets."""
    now = [0.0]
    monkeypatch.setattr(module, "State", lambda: State(lambda: now[0]))
    return now


def end(report: Any, task: Fit, seconds: float = 1.0) -> None:
    report.ended(task, {task.label: Done(seconds, reused=False)})


def test_a_stage_says_how_much_there_is_what_runs_since_when_and_how_long_it_took(log, clock):
    bow, cnn = Fit("bow"), Fit("cnn")
    with showing() as shown, progress([bow, cnn], 1, STORE) as report:
        report.began([bow])
        clock[0] = 6.0
        shown.tick()
        end(report, bow)
        report.began([cnn])
        report.heard(News("cnn", 3, 20, "epochs at most"))
        clock[0] = 12.0
        shown.tick()
        end(report, cnn)
    assert log.lines == [
        "Fits: 2 to do",
        "Fits: 0/2, 6 s: bow (6 s)",
        "Fits: 1/2, 12 s: cnn (3 of 20 epochs at most, 6 s)",
        "Fits: 2/2, 12 s",
    ]


def test_a_log_has_a_line_every_few_seconds_and_fewer_the_longer_it_takes(log, clock):
    bow = Fit("bow")
    with showing() as shown, progress([bow], 1, STORE) as report:
        report.began([bow])
        for second in range(3600):
            clock[0] = float(second)
            shown.tick()
        end(report, bow)
    seconds = [int(match[1]) for line in log.lines if (match := re.search(r"\((\d+) s\)", line))]
    assert seconds[:4] == [5, 10, 15, 20]
    assert 120 < len(log.lines) < 180


def test_a_step_says_nothing_unless_it_takes_long(log, clock):
    with showing() as shown:
        with step("check pictures", 3, "pictures") as tell:
            assert list(counted("abc", tell)) == ["a", "b", "c"]
        assert log.lines == []
        with step("write the report"):
            clock[0] = 7.0
            shown.tick()
    assert log.lines == ["write the report: 7 s", "write the report: 7 s"]


def test_a_step_that_counts_says_how_far_it_is_and_how_long_it_still_takes(log, clock):
    with showing() as shown, step("check pictures", 100, "pictures") as tell:
        tell(1)
        clock[0] = 9.0
        tell(10)
        shown.tick()
    assert log.lines[0] == "check pictures: 10/100 pictures, 9 s, about 2 min left"


def test_what_is_computed_in_a_step_may_tell_how_far_it_is(log, clock):
    with showing() as shown, step("index the items"):
        advance(3, 7, "samples")
        clock[0] = 5.0
        shown.tick()
    assert log.lines[0] == "index the items: 5 s: index the items (3 of 7 samples, 5 s)"


def test_of_a_step_with_stages_these_are_shown(log, clock):
    bow = Fit("bow")
    few = progress([bow], 1, STORE, " with few labels")
    with showing() as shown, step("encode and fit"), few as report:
        report.began([bow])
        clock[0] = 8.0
        shown.tick()
        end(report, bow)
    assert log.lines == [
        "Fits with few labels: 1 to do",
        "Fits with few labels: 0/1, 8 s: bow (8 s)",
        "Fits with few labels: 1/1, 8 s",
    ]


def test_the_score_of_a_cell_is_a_line_that_stays(log):
    with showing() as shown:
        scored(Score("bow / text_only", "balanced_accuracy", 0.5614, 5))
        assert [score.cell for score in shown.state.scores] == ["bow / text_only"]
    assert log.lines == ["bow / text_only: balanced accuracy 0.561 over 5 folds"]


def test_nothing_is_said_under_quiet_but_the_state_is_kept(capsys):
    bow = Fit("bow")
    with quiet(), showing() as shown:
        with progress([bow], 1, STORE) as report:
            report.began([bow])
            end(report, bow)
        scored(Score("bow", "accuracy", 0.5, 5))
    assert capsys.readouterr().err == ""
    assert [(stage.name, stage.done) for stage in shown.state.stages] == [("Fits", 1)]
    assert shown.state.ending == "done"


@pytest.mark.parametrize(
    ("error", "ending"), [(KeyboardInterrupt(), "stopped"), (ValueError("no class"), "failed")]
)
def test_how_it_ended_is_kept(error, ending):
    with quiet(), pytest.raises(type(error)), showing() as shown, step("read"):
        raise error
    assert shown.state.ending == ending
    assert shown.state.error == str(error)
    assert not shown.state.open_stages()


def test_a_view_that_cannot_write_any_more_ends_nothing():
    class Broken:
        def tick(self) -> None:
            raise BrokenPipeError

        def close(self) -> None:
            """Nothing is open."""

    with quiet(), showing() as shown:
        shown.views.append(Broken())
        shown.tick()
        assert shown.views == []


def test_silence_says_nothing(capsys):
    bow = Fit("bow")
    with silence([bow], 1, STORE) as report:
        report.began([bow])
        report.heard(News("bow", 1, 2, "epochs"))
        end(report, bow)
    assert capsys.readouterr().err == ""
