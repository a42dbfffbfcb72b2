"""What the rows show that columns do not: unusable ones, small classes, leaks, impossible folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.block import Modality
from pipeline.config.grid import Grid, Split
from pipeline.data.build import build, ids_of
from pipeline.data.dataset import Dataset, DatasetError
from pipeline.data.row_check import (
    Findings,
    Policy,
    RowRules,
    check_rows,
    no_picture,
    small_classes,
)
from pipeline.data.same_names import with_same_names
from pipeline.data.samples import NOUNS, Samples
from pipeline.data.sources import SOURCES
from pipeline.folds.draw import draw
from pipeline.folds.fold import Fold
from pipeline.folds.leaks import leaks
from pipeline.start.draft import FOLDS, Draft, Line, drawn
from pipeline.store.store import Store
from reports.wording import count, first_listed, listed, short

PICTURES = 5_000  # beyond which no more are opened here: the run opens all
SHOWN = 3


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a draft, and which modalities were looked at in all of them."""

    samples: Samples
    modalities: tuple[Modality, ...]
    findings: Findings
    opened: int  # pictures, of all


def settled(draft: Draft, grid: Grid, store: Store) -> Draft:
    """The draft, with what its rows ask for: a policy for bad ones, groups that stop leaks.

    Parameters
    ----------
    grid : that of the draft.
    store : where the check of pictures is kept.

    Raises
    ------
    SourceError, DatasetError
        Where no policy makes a data set of the rows.
    """
    source = SOURCES[grid.data.name](**grid.data.parameters)
    samples = with_same_names(source.load(grid.folder))  # as the run takes them
    if draft.source == "folder" and samples.ids is not None:
        # within the folder that the first line names, from wherever that is looked at
        samples = replace(samples, locations=[str(name) for name in samples.ids])
    rows = _looked_at(samples, draft, store)
    try:
        return _with_folds(_with_policy(draft, rows), rows, store)
    except DatasetError as error:
        if not _is_official(draft):
            raise
        why = f"the official split cannot be used: {listed(error.problems)}"
    split = replace(drawn(len(samples), "row"), why=why)
    return _with_folds(_with_policy(replace(draft, split=split), rows), rows, store)


def _looked_at(samples: Samples, draft: Draft, store: Store) -> _Rows:
    encoders: dict[Modality, tuple[Line, ...]] = {"image": draft.image, "text": draft.text}
    modalities = [modality for modality, lines in encoders.items() if lines]
    rules = RowRules(labelled=draft.task == "classification")
    pictures = sum(picture is not None for picture in samples.pictures)
    if "image" in modalities and pictures > PICTURES:
        others = [modality for modality in modalities if modality != "image"]
        findings = check_rows(samples, ids_of(samples), others, rules, store)
        _add_pictures(samples, findings, store)
        return _Rows(samples, tuple(others), findings, PICTURES)
    findings = check_rows(samples, ids_of(samples), modalities, rules, store)
    return _Rows(samples, tuple(modalities), findings, pictures)


def _add_pictures(samples: Samples, findings: Findings, store: Store) -> None:
    """Add what is wrong with some of the pictures, evenly over all, and who has none."""
    held = [row for row, picture in enumerate(samples.pictures) if picture is not None]
    some = [held[at] for at in np.linspace(0, len(held) - 1, PICTURES).astype(int)]
    taken = Samples(
        locations=[samples.locations[row] for row in some],
        pictures=[samples.pictures[row] for row in some],
        texts=[None] * PICTURES,
        labels=[None] * PICTURES,
    )
    seen = check_rows(taken, ids_of(taken), ["image"], RowRules(labelled=False), store)
    findings.missing["image"] = set()
    for row in sorted(set(range(len(samples))).difference(held)):
        findings.add(row, no_picture(samples.locations[row]), "image")
    for row in seen.missing["image"]:
        findings.add(some[row], seen.reasons[row][0], "image")


# Bad rows


def _with_policy(draft: Draft, rows: _Rows) -> Draft:
    """The draft with on_bad_rows, where there are bad rows or may be."""
    samples, findings = rows.samples, rows.findings
    policy: Policy = "keep" if draft.image and draft.text else "drop"
    usable = findings.usable(len(samples), policy)
    folds = _possible_folds(samples, usable) if draft.task == "classification" else FOLDS
    small = {} if _is_official(draft) or draft.task != "classification" else small_classes(
        samples, usable, folds)
    reasons = [*_bad_rows(rows), *_small(samples, small)]
    lines = [line for line in draft.data if line.key != "on_bad_rows"]
    pictures = sum(picture is not None for picture in samples.pictures)
    if rows.opened < pictures:
        reasons.append(
            f"only {rows.opened:,} of {pictures:,} pictures were opened here, and others may be "
            "broken"
        )
    if reasons:
        left = (
            "a row without picture or text stays, with that marked missing"
            if policy == "keep"
            else "such rows are left out, and listed"
        )
        lines.append(Line("on_bad_rows", policy, f"{'; '.join(reasons)}: {left}"))
    draft = replace(draft, data=tuple(lines))
    if folds < FOLDS and not _is_official(draft):
        why = f"classes have so few rows that more than {folds} folds could not test each"
        split = Line("split", {**draft.split.value, "folds": folds}, why)
        draft = replace(draft, split=split)
    return draft


def _is_official(draft: Draft) -> bool:
    return bool(draft.split.value.get("official"))


def _bad_rows(rows: _Rows) -> list[str]:
    findings, samples = rows.findings, rows.samples
    said = []
    for modality, missing in findings.missing.items():
        if missing:
            noun = NOUNS[modality]
            where = first_listed([samples.locations[row] for row in sorted(missing)], SHOWN)
            said.append(f"{count(len(missing), 'row')} without a usable {noun} ({where})")
    unlabelled = sum(not label for label in samples.labels)
    if unlabelled and any(samples.labels):
        said.append(f"{count(unlabelled, 'row')} without a class, left out")
    others = [row for row in findings.unusable if samples.labels[row]]
    if others:
        said.append(f"{count(len(others), 'row')} left out ({findings.reasons[others[0]][-1]})")
    return said


def _small(samples: Samples, small: dict[str, str]) -> list[str]:
    if not small:
        return []
    sizes = Counter(label for label in samples.labels if label in small)
    names = [f"'{short(name, 40)}' ({sizes[name]})" for name in small]
    return [
        f"{count(len(small), 'class', 'classes')} too small for the folds left out: "
        f"{first_listed(names, SHOWN)}"
    ]


def _possible_folds(samples: Samples, usable: Sequence[int]) -> int:
    """Folds such that two classes at least have a row for each: five where that can be."""
    sizes = Counter(str(samples.labels[row]) for row in usable if samples.labels[row])
    second = sorted(sizes.values(), reverse=True)[1] if len(sizes) > 1 else FOLDS
    return max(2, min(FOLDS, second))


# Folds and leaks


def _with_folds(draft: Draft, rows: _Rows, store: Store) -> Draft:
    """The draft with folds that can be drawn and, where samples give classes away, groups."""
    dataset = _dataset(draft, rows, store)
    folds = _folds(draft, dataset)
    may_group = draft.task == "classification" and not _is_official(draft)
    for modality in dataset.modalities if may_group else ():
        if not _is_remembered(dataset, folds, modality):
            continue
        noun = NOUNS[modality]
        why = f"rows of one {noun} stay in one fold: it comes again, and tells the class"
        split = Line("split", {**draft.split.value, "group": modality}, why)
        # a column that groups leaves such rows apart: what is the same counts for more
        grouped = replace(_without_group(draft), split=split)
        try:
            together = _dataset(grouped, rows, store)
            draft, folds, dataset = grouped, _folds(grouped, together), together
            break
        except DatasetError:
            pass  # no folds keep it together: the doubt stays
    said = [
        f"{'ALARM' if check.severe else 'warning'}: {check.sentence}"
        for check in leaks(dataset, folds)
    ]
    return replace(draft, doubts=(*draft.doubts, *said))


def _is_remembered(dataset: Dataset, folds: Sequence[Fold], modality: Modality) -> bool:
    """Whether a modality's samples come again and tell their class: an alarm of the run, too."""
    alone = replace(dataset, modalities={modality: dataset.modalities[modality]})
    return any(check.severe and check.name == "known in training" for check in leaks(alone, folds))


def _without_group(draft: Draft) -> Draft:
    return replace(draft, data=tuple(
        line for line in draft.data if line.key not in ("group", "missing_group")))


def _dataset(draft: Draft, rows: _Rows, store: Store) -> Dataset:
    policy: Policy = draft.value("on_bad_rows") or "fail"
    labelled = draft.task == "classification"
    group = draft.split.value.get("group") or (None if labelled else "image")
    if group == "image" and "image" not in rows.modalities:
        group = None
    rules = RowRules(
        policy, group, smallest_class=draft.split.value.get("folds", 1) if labelled else 1,
        labelled=labelled,
    )
    return build(rows.samples, rows.modalities, rules, store)


def _folds(draft: Draft, dataset: Dataset) -> tuple[Fold, ...]:
    """Folds of the first draw, which show what others do; all are drawn, as a run will.

    Raises
    ------
    DatasetError
        Where a draw, or the inner folds of one, cannot be made.
    """
    drawn = draw(dataset, Split(**draft.split.value), 0)
    return tuple(fold for fold in drawn if fold.repeat == 0)
