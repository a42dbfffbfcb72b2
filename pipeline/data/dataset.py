"""Dataset: checked samples. Everything wrong with the rows is found before any encoding, and reported at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from features.machine.nearest import nearest
from pipeline.data.picture_check import Sizes
from pipeline.data.row_check import NOUNS, Findings, Policy, check_rows, small_classes
from pipeline.data.samples import Samples
from pipeline.store.keys import key_of
from pipeline.store.store import Store

SHOWN = 50  # problems printed before the rest is counted


class DatasetError(Exception):
    """Rows that cannot be used; `problems` has one line for each, with its place and the rule."""

    def __init__(self, problems: Sequence[str], advice: str) -> None:
        more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        super().__init__("\n".join(line for line in (*problems[:SHOWN], *more, advice) if line))
        self.problems = tuple(problems)


@dataclass(frozen=True, eq=False)
class Modal:
    """One modality of n samples, identical ones counted once.

    Parameters
    ----------
    digests : sha256 of each distinct sample, sorted, so that the order of rows does not matter.
    samples : the distinct samples, in the order of `digests`.
    index : int64 (n,), which distinct sample each row has; -1 where it has none.
    """

    digests: tuple[str, ...]
    samples: Sequence[Any]
    index: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Described:
    """What classes are called or described by: m texts.

    Parameters
    ----------
    classes : int64 (m,), codes of the classes.
    positions : int64 (m,), which distinct sample of the text modality each text is.
    """

    classes: NDArray[np.int64]
    positions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """n checked samples.

    Parameters
    ----------
    ids, labels : (n,) the rows' ids, and codes into `classes` (sorted class names), -1 for rows
        without a label.
    views : the modalities that the grid uses.
    texts : (n,) the texts as the source gives them, None where missing.
    groups : (n,) codes of the grouping column, or None.
    split : (n,) "train" or "test", or None.
    fingerprint : sha256 of every row's id, label, group, split, picture bytes and text.
    sizes : int (m, 2), width and height in pixels of each distinct picture.
    dropped, notes : one sentence for each row left out; and what else a reader must know.
    columns : codes (n,) of every column that the source says may group rows.
    described : the classes' texts, where classes are held out.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    views: Mapping[Modality, Modal]
    texts: tuple[str | None, ...]
    groups: NDArray[np.int64] | None
    group_name: str | None
    split: NDArray[np.str_] | None
    fingerprint: str
    sizes: Sizes
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    described: Described | None = None

    def __len__(self) -> int:
        return len(self.ids)


def build(
    samples: Samples, modalities: Sequence[Modality], policy: Policy, store: Store,
    group: str | None = None, smallest_class: int = 2, keep_unlabelled: bool = False,
) -> Dataset:
    """Check the rows of a source and make a data set of them.

    Parameters
    ----------
    modalities : those that cells use; the others are not looked at.
    policy : what to do with bad rows: "fail", "drop" them, or "keep" them with the bad picture or
        text marked missing (rows with a bad label or id, or with nothing left, are dropped then
        too).
    group : column that groups rows; "none" for no groups; None for the source's own.
    smallest_class : rows that a class needs, at least.
    keep_unlabelled : whether rows without a label stay; no model that needs labels ever sees them.

    Raises
    ------
    DatasetError
        With all problems: unreadable pictures, empty texts, missing labels, duplicate ids, small
        classes.
    """
    group = _group_name(samples, group)
    _check_columns(samples, modalities)
    ids = (
        [str(row + 1) for row in range(len(samples))]
        if samples.ids is None
        else [id_ or "" for id_ in samples.ids]
    )
    findings = check_rows(samples, ids, modalities, group, store, keep_unlabelled)
    usable = findings.kept(len(samples), policy)
    small = small_classes(samples, usable, smallest_class)
    problems = [*findings.lines(), *small.values()]
    if problems and policy == "fail":
        raise DatasetError(problems, _advice(len(problems)))
    kept = [row for row in usable if samples.labels[row] not in small]
    if len({samples.labels[row] for row in kept if samples.labels[row]}) < 2:
        raise DatasetError(
            [*problems, f"{len(kept)} usable rows of fewer than two classes are left"],
            "A comparison needs two classes at least.",
        )
    for row in set(usable) - set(kept):
        findings.reasons.setdefault(row, []).append(
            f"{samples.places[row]}: {small[str(samples.labels[row])]}"
        )
    return _assemble(samples, kept, ids, findings, group)


def _advice(count: int) -> str:
    return (f"Problems: {count}. Mend them, or say `on_bad_rows: drop` under data: to leave such rows out, or `keep` "
            "to keep those without a usable picture or text, marked missing (the others are left out then too).")


def _group_name(samples: Samples, group: str | None) -> str | None:
    if group is None:
        return samples.group
    if group == "none":
        return None
    if group not in samples.groups:
        raise DatasetError([f"split.group: there is no group column '{group}'; "
                            f"{nearest(group, [*samples.groups, 'none'])}"],
                           "The source's key `group` names the columns that may group rows.")
    return group


def _check_columns(samples: Samples, modalities: Sequence[Modality]) -> None:
    """A modality that no row has at all is one mistake in the grid, not one in each row."""
    columns: dict[Modality, Sequence[Any]] = {"image": samples.pictures, "text": samples.texts}
    problems = [
        f"data: the grid has {modality} encoders, but the source gives no {NOUNS[modality]} for any row"
        for modality in modalities
        if not any(columns[modality])
    ]
    if problems:
        raise DatasetError(problems, "Name their column under data:, or leave these encoders out.")


def _assemble(
    samples: Samples, kept: list[int], ids: Sequence[str], findings: Findings, group: str | None
) -> Dataset:
    views = _views(samples, kept, findings)
    names = [samples.labels[row] or None for row in kept]
    classes = tuple(sorted({name for name in names if name}))
    codes = {name: code for code, name in enumerate(classes)}
    groups = [str(samples.groups[group][row]) for row in kept] if group else None
    split = [str(samples.split[row]) for row in kept] if samples.split is not None else None
    own_ids = tuple(ids[row] for row in kept)
    fingerprint = key_of(
        {
            "ids": own_ids,
            "labels": names,
            "groups": groups,
            "split": split,
            **{
                modality: [_nth(view.digests, i) for i in view.index]
                for modality, view in views.items()
            },
        }
    )
    pictures = views["image"].digests if "image" in views else ()
    return Dataset(
        ids=own_ids,
        labels=np.array([codes[name] if name else -1 for name in names], dtype=np.int64),
        classes=classes,
        views=views,
        texts=tuple(samples.texts[row] for row in kept),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64) if groups else None,
        group_name=group,
        split=np.array(split) if split else None,
        fingerprint=fingerprint,
        sizes=np.array([findings.sizes[digest] for digest in pictures], dtype=np.int64).reshape(
            -1, 2
        ),
        dropped=tuple(
            "; ".join(findings.reasons[row]) for row in sorted(set(range(len(samples))) - set(kept))
        ),
        notes=(*_notes(kept, findings), *_unlabelled_note(names)),
        columns={
            name: np.unique([str(column[row]) for row in kept], return_inverse=True)[1].astype(
                np.int64
            )
            for name, column in samples.groups.items()
        },
    )


def _views(samples: Samples, kept: list[int], findings: Findings) -> dict[Modality, Modal]:
    views: dict[Modality, Modal] = {}
    if "image" in findings.missing:
        views["image"] = _distinct(
            kept, findings.digests, {row: samples.pictures[row] for row in findings.digests}
        )
    if "text" in findings.missing:
        texts = {
            row: str(samples.texts[row]) for row in kept if row not in findings.missing["text"]
        }
        views["text"] = _distinct(
            kept, {row: text_digest(text) for row, text in texts.items()}, texts
        )
    return views


def _nth(digests: tuple[str, ...], position: int) -> str | None:
    return digests[position] if position >= 0 else None


def _distinct(kept: list[int], digests: Mapping[int, str], samples: Mapping[int, Any]) -> Modal:
    """The distinct samples of the kept rows, sorted by digest."""
    rows = {digests[row]: row for row in reversed(kept) if row in digests}
    ordered = tuple(sorted(rows))
    position = {digest: i for i, digest in enumerate(ordered)}
    index = [position[digests[row]] if row in digests else -1 for row in kept]
    return Modal(
        ordered, [samples[rows[digest]] for digest in ordered], np.array(index, dtype=np.int64)
    )


def text_digest(text: str) -> str:
    """Sha256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _notes(kept: Sequence[int], findings: Findings) -> tuple[str, ...]:
    """One sentence for each modality that kept rows lack, and one for each such row."""
    notes = []
    for modality, missing in findings.missing.items():
        rows = [row for row in kept if row in missing]
        if rows:
            noun = NOUNS[modality]
            notes.append(f"{len(rows)} of {len(kept)} rows have no {noun}: they are kept, with the {noun} marked "
                         f"missing: {'; '.join(reason for row in rows for reason in findings.reasons[row])}")
    return tuple(notes)


def _unlabelled_note(names: Sequence[str | None]) -> list[str]:
    count = names.count(None)
    return [f"{count} of {len(names)} rows have no label: they are never scored, and only fusions that learn from "
            "unlabelled samples see them."] if count else []
