"""From a plan that was carried out to the record of the run, its files and its report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

from pipeline.data.left_out import DROPPED, dropped_csv
from pipeline.engine.progress import say, step
from pipeline.engine.run_all import counts
from pipeline.engine.task import Done, Outcome
from pipeline.folds.fold import Fold
from pipeline.followup.attention_maps import attention
from pipeline.followup.label_issues import label_issues
from pipeline.followup.learning_curve import LearningCurve, learning_curve
from pipeline.followup.probe_scores import score_probes
from pipeline.followup.probes import probe_all
from pipeline.plan.assignment import Assignment, Clock
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import Plan
from pipeline.plan.reached import Reached
from pipeline.results.files import write_run
from pipeline.results.inner_ranks import with_inner_ranks
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.origin import origin_json
from pipeline.results.placing import placed
from pipeline.results.ready.conclusion import Conclusion
from pipeline.results.ready.standing import ReadyReport, checksums, manifests
from pipeline.results.record import remarks_of, scored_record, step_records, work_record
from pipeline.results.retrieval import retrieval_record, with_checks, write_retrieval_run
from pipeline.results.same_class import with_same_class
from pipeline.results.scores import Scores
from pipeline.results.unreached import Unasked, follow_ups, with_unreached
from pipeline.store.files import write_text, writing
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.tending.listing import ENTRIES, entries_used
from reports.analysis.checks import Check, checks, encoding_checks
from reports.follow_up_record import FollowUpRecord
from reports.page import render
from reports.page.files import write_whole
from reports.page.terminal import closing
from reports.record import RunRecord, ScoredRecord
from reports.retrieval_record import RetrievalRecord
from reports.wording import count, for_terminal

Record = TypeVar("Record", RunRecord, RetrievalRecord)


@dataclass(frozen=True, eq=False)
class CarriedOut:
    """A plan and what came of it.

    Parameters
    ----------
    before : the checks that were made before it.
    whole : what can be compared of it.
    deciding : ingredients of its report; None where these do not decide all of it.
    lines : what a run says that finds all of it in the store, before its report is written.
    troubles : what could not be had when the best cells were asked, which the next run may have.
    """

    assignment: Assignment
    comparison: Comparison
    plan: Plan
    outcomes: PlanOutcomes
    before: Sequence[Check]
    clock: Clock
    whole: Reached
    deciding: Ingredients | None
    lines: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def finish(self) -> tuple[RunRecord | RetrievalRecord, Conclusion]:
        """Score it, ask the best cells, write the files of the run and its report."""
        self._say_outcomes()
        is_of_pairs = self.assignment.grid.task == "retrieval"
        return (_scored_pairs if is_of_pairs else _scored_classes)(self)

    def say_counts(self, what: str, outcomes: Iterable[Outcome]) -> None:
        """Say how much of some work was computed now."""
        outcomes = list(outcomes)
        say(f"{what}: {counts(outcomes)}")
        self.lines.append(f"{what}: {_counts_again(outcomes)}")

    def written(
        self, record: Record, write: Callable[[Record, Sequence[Fold], Path, str], None]
    ) -> tuple[Record, Conclusion]:
        """Write the files of the run by `write`, see write_run, and its report; what was written.

        What a run knows stays one object, by which statistics know what they have worked out.
        """
        folder, option = self.assignment.folder, self.assignment.named[1]
        advice = f"free some there, or say {option} for another; all results are in the store"
        watched = _WatchedThumbnails(record.thumbnail)
        record = replace(record, thumbnail=watched)
        with (
            step("write the results and the report"),
            writing(folder, advice),
            placed(folder) as aside,
        ):
            write(record, self.whole.comparison.folds, aside, self._origin)
            self._write_lists(aside)
            render.write_report(record, aside)
            conclusion = _conclusion(record, remarks_of(self.before).warnings)
            conclusion.say(say)
            files = checksums(aside)
        troubles = (
            self.troubles, self.comparison.hindered, record.failures, record.unreached,
            watched.has_failed,
        )
        if self.deciding is not None and not any(troubles):
            ready = ReadyReport(files, *self._made_of(), tuple(self.lines), conclusion)
            ready.note(self.deciding, self.comparison.store)
        return record, conclusion

    @property
    def _origin(self) -> str:
        assignment = self.assignment
        return origin_json(
            assignment.grid_file, self.comparison.store.address, assignment.folder
        )

    def _say_outcomes(self) -> None:
        features, units = self.outcomes.features.values(), self.outcomes.units.values()
        say(f"features: {counts(features)}; results: {counts(units)}")
        self.lines.append(f"features: {counts(())}; results: {_counts_again(units)}")

    def _write_lists(self, folder: Path) -> None:
        """Write which entries of the store it used, and the rows that were left out, if any."""
        keys = entries_used(self.plan.features, self.comparison.store)
        text = "".join(f"{key}\n" for key in sorted(keys))
        write_whole(folder / ENTRIES, lambda path: write_text(path, text))
        rows = self.comparison.dataset.left_out
        if rows:
            write_whole(folder / DROPPED, lambda path: write_text(path, dropped_csv(rows)))

    def _made_of(self) -> tuple[dict[str, str], dict[str, str]]:
        """Seals of the entries that it was made of: those that were read, and features.

        Whatever only computing reads is left out: context, features themselves, and shards.
        """
        store = self.comparison.store
        features = manifests(self.plan.features, store)
        shards = (manifest["facts"].get("shards", ()) for manifest in features.values())
        others = {self.comparison.context.key, *features, *chain.from_iterable(shards)}
        if self.deciding is not None:
            others.add(key_of(self.deciding))
        return (
            {key: seal for key, seal in store.used.items() if key not in others},
            {key: str(manifest["sha256"]) for key, manifest in features.items()},
        )


class _WatchedThumbnails:
    """Gives thumbnails, and knows whether one could not be had."""

    def __init__(self, read: Callable[[int], bytes | None] | None) -> None:
        self._read, self.has_failed = read, False

    def __call__(self, row: int) -> bytes | None:
        """See ScoredRecord."""
        try:
            return None if self._read is None else self._read(row)
        except (OSError, ValueError):
            self.has_failed = True
            raise


def _scored_pairs(done: CarriedOut) -> tuple[RetrievalRecord, Conclusion]:
    """The record of a run of retrieval, its files and its report."""
    plan, comparison, clock = done.whole.plan, done.whole.comparison, done.clock
    with clock.step("score"):
        scored = retrieval_record(plan, done.outcomes, comparison, done.assignment.command)
    with clock.step("learn on inner folds what could be chosen"):
        scored, chosen_by, unchosen = with_inner_ranks(scored, plan, comparison)
    if chosen_by:
        say(f"inner folds of what could be chosen: {counts(chosen_by.values())}")
    with clock.step("answer"):
        work = work_record(done.plan, done.outcomes, chosen_by, comparison, {})
        checked = [*done.before, *encoding_checks(work.encoded)]
        unreached = follow_ups(done.whole, Unasked(unchosen))
        made = with_unreached(replace(scored, **vars(work)), unreached)
        record = with_checks(made, checked)
    record = replace(record, steps=step_records(clock.seconds))
    return done.written(record, write_retrieval_run)


def _scored_classes(done: CarriedOut) -> tuple[RunRecord, Conclusion]:
    """The record of a run of classification, its files and its report."""
    plan, comparison, clock = done.whole.plan, done.whole.comparison, done.clock
    with clock.step("score"):
        scores = Scores(plan, done.outcomes, comparison)
        scored = scored_record(comparison, scores, done.assignment.command)
    uncompared: Sequence[str] = ()
    if comparison.grid.extra_metrics:
        with clock.step("look for rows of the same class"):
            scored, compared, uncompared = with_same_class(scored, plan, comparison)
        done.say_counts("rows of the same class", compared.values())
    with clock.step("fit on inner folds what could be chosen"):
        scored, chosen_by, unchosen = with_inner_scores(scored, scores, plan, comparison)
    if chosen_by:
        say(f"inner folds of what could be chosen: {counts(chosen_by.values())}")
    follow_up, unasked = _follow_up(done, scores, scored)
    work = work_record(done.plan, done.outcomes, chosen_by, comparison, clock.seconds)
    checked = remarks_of([*done.before, *checks(scored), *encoding_checks(work.encoded)])
    unreached = follow_ups(
        done.whole, replace(unasked, unchosen=unchosen, uncompared=uncompared)
    )
    record = RunRecord.of(with_unreached(scored, unreached), follow_up, work, checked)
    return done.written(record, write_run)


def _follow_up(
    done: CarriedOut, scores: Scores, scored: ScoredRecord
) -> tuple[FollowUpRecord, Unasked]:
    """What the best cells are asked once all are scored, and what there was no time to ask."""
    plan, comparison, clock = done.whole.plan, done.whole.comparison, done.clock
    with clock.step("ask what was attended to"):
        looked_at = attention(plan, scores, comparison)
    with clock.step("ask the best cells about altered rows"):
        probed = probe_all(scored, plan, comparison)
        altered, additive = score_probes(probed.probes, scored, comparison)
    done.say_counts("altered rows", probed.outcomes.values())
    with clock.step("look for doubtful labels"):
        doubtful = label_issues(scored, comparison.store)
    few = LearningCurve((), ())
    if comparison.grid.learning_curve:
        with clock.step("learning curve"):
            few = learning_curve(scored, plan, comparison)
    unasked = Unasked(
        attending=looked_at.not_reached, altered=probed.not_reached, shares=few.not_reached
    )
    record = FollowUpRecord(
        probes=altered,
        additive=additive,
        attention=looked_at.records,
        learning_curve=few.curve,
        label_issues=doubtful.record,
        failures=few.failures,
        warnings=(*looked_at.remarks, *probed.problems, *doubtful.problems),
    )
    done.troubles.extend(record.warnings)
    return record, unasked


def _conclusion(record: RunRecord | RetrievalRecord, said: Collection[str]) -> Conclusion:
    """What there is to say of a report: alarms twice, warnings where they were not `said`."""
    new = [warning for warning in record.warnings if warning not in said]
    return Conclusion(
        alarms=tuple(for_terminal(f"ALARM: {alarm}") for alarm in record.alarms),
        warnings=tuple(for_terminal(f"warning: {warning}") for warning in new),
        failures=tuple(_failures(record)),
        closing=tuple(closing(record).split("\n")),
    )


def _failures(record: RunRecord | RetrievalRecord) -> Iterator[str]:
    errors: dict[str, str] = {}  # the first of each cell
    for failure in record.failures:
        errors.setdefault(failure.cell, failure.error)
    for error in dict.fromkeys(errors.values()):
        cells = [cell for cell, first in errors.items() if first == error]
        others = f" and {count(len(cells) - 1, 'other cell')}" if len(cells) > 1 else ""
        yield for_terminal(f"failed: {cells[0]}{others}: {error}")


def _counts_again(outcomes: Iterable[Outcome]) -> str:
    """How much of some work a run computes that finds all of it in the store."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
    return counts(replace(outcome, reused=True) for outcome in done)
