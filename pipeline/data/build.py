"""From a source's rows to a data set: all that is wrong with them is said before any encoding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from features.block import Modality
from features.machine.nearest import nearest
from pipeline.data.dataset import Dataset, DatasetError, DistinctSamples, text_digest
from pipeline.data.left_out import LeftOut
from pipeline.data.row_check import Findings, RowRules, check_rows, small_classes
from pipeline.data.rows import Groups
from pipeline.data.same_names import with_same_names
from pipeline.data.samples import NOUNS, OF_SAMPLES, Picture, Samples
from pipeline.store.keys import key_of
from pipeline.store.store import Store
from reports.wording import count, first_lines, for_terminal

Sample = TypeVar("Sample", Picture, str)
PAIR = "pair"  # what stands for the label of rows that need none: folds are not stratified then
FEWEST_PAIRS = 4
GROUPS = (
    "The source's key `group` names the columns that may group rows; text and image group rows of "
    "the same text or picture."
)


def build(
    samples: Samples, modalities: Sequence[Modality], rules: RowRules, store: Store
) -> Dataset:
    """Check the rows of a source and make a data set of them.

    Parameters
    ----------
    modalities : those that cells use; the others are not looked at.

    Raises
    ------
    DatasetError
        With all problems: unreadable pictures, empty texts, missing labels, duplicate ids, small
        classes.
    """
    samples = with_same_names(samples)
    rules = replace(rules, group=_group_name(samples, rules.group))
    if not rules.labelled:
        samples = replace(samples, labels=[PAIR] * len(samples))
    _check_columns(samples, modalities)
    ids = ids_of(samples)
    findings = check_rows(samples, ids, modalities, rules, store)
    usable = findings.usable(len(samples), rules.policy)
    small = small_classes(samples, usable, rules.smallest_class)
    problems = [*findings.lines(), *small.values()]
    if problems and rules.policy == "fail":
        raise DatasetError([*samples.notes, *problems], _advice(len(problems)))
    rows = [row for row in usable if samples.labels[row] not in small]
    if rules.labelled and len({samples.labels[row] for row in rows if samples.labels[row]}) < 2:
        raise DatasetError(
            [*problems, f"{count(len(rows), 'usable row')} of fewer than two classes left"],
            "A comparison needs two classes at least.",
        )
    for row in set(usable) - set(rows):
        reason = small[str(samples.labels[row])]
        findings.note(row, f"{samples.locations[row]}: {reason}", reason)
    if not rules.labelled and len(rows) < FEWEST_PAIRS:
        raise DatasetError(
            [*problems, f"{count(len(rows), 'usable pair')} of a picture and a text left"],
            f"Retrieval needs {FEWEST_PAIRS} pairs at least.",
        )
    dataset = _assembled(samples, _in_order(samples, rows, findings), ids, findings, rules.group)
    return dataset if rules.labelled else replace(dataset, classes=())


def ids_of(samples: Samples) -> list[str]:
    """Those that the source gives, else the numbers of the rows, from 1."""
    if samples.ids is None:
        return [str(row + 1) for row in range(len(samples))]
    return [id_ or "" for id_ in samples.ids]


def _in_order(samples: Samples, rows: Sequence[int], findings: Findings) -> list[int]:
    """The rows in an order that has nothing to do with that of the source.

    Folds are drawn by position and models learn in order: a table whose rows were shuffled, and is
    otherwise the same, gives the same results. By id where the source has ids (2 before 10), else
    by class and content.
    """
    if samples.ids is not None:
        names = samples.ids
        return sorted(rows, key=lambda row: _natural(str(names[row])))
    return sorted(
        rows,
        key=lambda row: (
            str(samples.labels[row]),
            findings.digests.get(row, ""),
            str(samples.texts[row]),
            *(str(column[row]) for column in samples.groups.values()),
        ),
    )


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key by which numbers in names come in their order: "id 2" before "id 10"."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts], name


def _advice(number: int) -> str:
    them = "it" if number == 1 else "them"
    return (
        f"{count(number, 'problem')}: mend {them}, or say `on_bad_rows: drop` under data: to leave "
        "such rows out, or `keep` to keep those without a usable picture or text, marked missing "
        "(the others are left out then too)."
    )


def _group_name(samples: Samples, group: str | None) -> str | None:
    if group is None:
        return samples.group
    if group == "none":
        return None
    reason = no_group(group, list(samples.groups))
    if reason is not None:
        raise DatasetError([f"split.group: {reason}"], GROUPS)
    return group


def no_group(group: str, columns: Sequence[str]) -> str | None:
    """Why rows cannot be grouped by a column, of those that may group them; None where they can."""
    if group in (*columns, *OF_SAMPLES, "none"):
        return None
    known = nearest(group, [*columns, *OF_SAMPLES, "none"])
    return f"there is no group column '{group}'; {known}"


def _check_columns(samples: Samples, modalities: Sequence[Modality]) -> None:
    """A modality that no row has at all is one mistake in the grid, not one in each row."""
    columns: dict[Modality, Sequence[object]] = {"image": samples.pictures, "text": samples.texts}
    problems = [
        f"data: the grid has {modality} encoders, but the source gives no {NOUNS[modality]} for "
        "any row"
        for modality in modalities
        if not any(columns[modality])
    ]
    if problems:
        raise DatasetError(problems, "Name their column under data:, or leave these encoders out.")


def _assembled(
    samples: Samples, rows: list[int], ids: Sequence[str], findings: Findings, group: str | None
) -> Dataset:
    """The data set of the rows that stay."""
    modalities = _modalities(samples, rows, findings)
    names = [samples.labels[row] or None for row in rows]
    classes = tuple(sorted({name for name in names if name}))
    codes = {name: code for code, name in enumerate(classes)}
    groups = _group_values(samples, rows, findings, group) if group else None
    split = None if samples.split is None else [str(samples.split[row]) for row in rows]
    row_ids = tuple(ids[row] for row in rows)
    ingredients = {"ids": row_ids, "labels": names, "groups": groups, "split": split}
    pictures = modalities["image"].digests if "image" in modalities else ()
    sizes = [findings.sizes[digest] for digest in pictures]
    dropped = sorted(set(range(len(samples))) - set(rows))
    return Dataset(
        ids=row_ids,
        labels=np.array([codes[name] if name else -1 for name in names], dtype=np.int64),
        classes=classes,
        modalities=modalities,
        texts=tuple(samples.texts[row] for row in rows),
        groups=_codes(groups) if groups else None,
        group_name=group,
        split=np.array(split) if split else None,
        fingerprint=key_of({**ingredients, **_row_digests(modalities)}),
        sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
        left_out=tuple(_left_out(row, samples, ids, findings) for row in dropped),
        notes=(*samples.notes, *_notes(rows, findings), *_rows_without(samples, rows, group)),
        columns={
            name: _codes(_apart([column[row] for row in rows]))
            for name, column in samples.groups.items()
        },
        breakdown=_values(samples.breakdown, rows),
        recurring=samples.recurring,
    )


def _left_out(row: int, samples: Samples, ids: Sequence[str], findings: Findings) -> LeftOut:
    sentence = for_terminal("; ".join(findings.reasons[row]))
    given = "" if samples.ids is None else ids[row]
    return LeftOut(samples.locations[row], given, sentence, findings.kinds[row])


def _values(
    columns: Mapping[str, Sequence[str | None]], rows: Sequence[int]
) -> dict[str, tuple[str | None, ...]]:
    """The columns of some rows."""
    return {name: tuple(column[row] for row in rows) for name, column in columns.items()}


def _group_values(
    samples: Samples, rows: Sequence[int], findings: Findings, group: str
) -> list[str]:
    """What groups each row: its value in a column, or its very text or picture.

    A row without it is a group of its own.
    """
    if group in samples.groups:
        return _apart([samples.groups[group][row] for row in rows])
    if group == "image":
        return _apart([findings.digests.get(row) for row in rows])
    texts = [samples.texts[row] for row in rows]
    return _apart([text_digest(text) if text and text.strip() else None for text in texts])


def _apart(values: Sequence[str | None]) -> list[str]:
    """The values, with one of its own for each row that has none."""
    return [value or f"\0row {row}" for row, value in enumerate(values)]


def _codes(names: Iterable[str]) -> Groups:
    """Codes of names, numbered in their order."""
    return np.unique(list(names), return_inverse=True)[1].astype(np.int64)


def _row_digests(
    modalities: Mapping[Modality, DistinctSamples],
) -> dict[str, list[str | None]]:
    """The digest of each row's sample, None where it has none."""
    return {
        modality: [distinct.digests[i] if i >= 0 else None for i in distinct.index]
        for modality, distinct in modalities.items()
    }


def _modalities(
    samples: Samples, rows: list[int], findings: Findings
) -> dict[Modality, DistinctSamples]:
    modalities: dict[Modality, DistinctSamples] = {}
    if "image" in findings.missing:
        pictures = {
            row: picture
            for row, picture in enumerate(samples.pictures)
            if picture is not None
        }
        modalities["image"] = _distinct(rows, findings.digests, pictures)
    if "text" in findings.missing:
        texts = {
            row: str(samples.texts[row]) for row in rows if row not in findings.missing["text"]
        }
        digests = {row: text_digest(text) for row, text in texts.items()}
        modalities["text"] = _distinct(rows, digests, texts)
    return modalities


def _distinct(
    rows: list[int], digests: Mapping[int, str], samples: Mapping[int, Sample]
) -> DistinctSamples:
    """The distinct samples of the rows, sorted by digest."""
    first = {digests[row]: row for row in reversed(rows) if row in digests}
    ordered = tuple(sorted(first))
    position = {digest: i for i, digest in enumerate(ordered)}
    index = [position[digests[row]] if row in digests else -1 for row in rows]
    return DistinctSamples(
        ordered, [samples[first[digest]] for digest in ordered], np.array(index, dtype=np.int64)
    )


def _notes(rows: Sequence[int], findings: Findings) -> list[str]:
    """A sentence for each modality that some of the rows lack, with the reasons."""
    notes = []
    for modality, missing in findings.missing.items():
        without = [row for row in rows if row in missing]
        if without:
            noun = NOUNS[modality]
            notes.append(
                f"{_share(len(without), rows)} no {noun}: kept, with the "
                f"{noun} marked missing: {'; '.join(first_lines(findings.lines(without)))}"
            )
    return notes


def _rows_without(samples: Samples, rows: Sequence[int], group: str | None) -> list[str]:
    """A sentence where rows have no label, and one where they have no group."""
    unlabelled = sum(not samples.labels[row] for row in rows)
    column = samples.groups.get(group or "")
    ungrouped = sum(not column[row] for row in rows) if column else 0
    sentences = {
        f"{_share(unlabelled, rows)} no label: never scored, and seen only by fusions "
        "that learn from unlabelled samples.": unlabelled,
        f"{_share(ungrouped, rows)} no '{group}': each is a group of its own, so that "
        "such rows may stand on both sides of a fold (missing_group: fail, under data:, refuses "
        "them)": ungrouped,
    }
    return [sentence for sentence, number in sentences.items() if number]


def _share(number: int, rows: Sequence[int]) -> str:
    """The beginning of a sentence about what some rows have."""
    return f"{number} of {count(len(rows), 'row')} {'has' if number == 1 else 'have'}"
