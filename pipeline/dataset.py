"""Dataset: checked samples. Everything wrong with the rows is found before any encoding, and reported at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.encoder import Modality
from pipeline.components import nearest
from pipeline.picture_check import Sizes, check_pictures
from pipeline.samples import Picture, Samples
from pipeline.store import Store, key_of

Policy = Literal["fail", "drop", "keep"]
SHOWN = 50  # problems printed before the rest is counted


class DatasetError(Exception):
    """Rows that cannot be used; `problems` has one line for each, with its place and the rule."""

    def __init__(self, problems: Sequence[str], advice: str) -> None:
        more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        super().__init__("\n".join([*problems[:SHOWN], *more, advice]))
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
class Dataset:
    """n checked samples.

    Parameters
    ----------
    ids, labels : (n,) the rows' ids, and codes into `classes` (sorted class names).
    views : the modalities that the grid uses.
    texts : (n,) the texts as the source gives them, None where missing.
    groups : (n,) codes of the grouping column, or None.
    split : (n,) "train" or "test", or None.
    fingerprint : sha256 of every row's id, label, group, split, picture bytes and text.
    sizes : (m, 2) width and height in pixels of each distinct picture.
    dropped, notes : one sentence for each row left out; what else a reader must know.
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
    sizes: Sizes | None = None
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class _Findings:
    """Problems by row; `fatal` rows cannot be kept, whatever the policy."""

    lines: list[str] = field(default_factory=list)
    fatal: set[int] = field(default_factory=set)
    missing: dict[Modality, set[int]] = field(default_factory=lambda: {"image": set(), "text": set()})

    def add(self, row: int, line: str, modality: Modality | None = None) -> None:
        self.lines.append(line)
        if modality is None:
            self.fatal.add(row)
        else:
            self.missing[modality].add(row)


def build(
    samples: Samples, modalities: Sequence[Modality], policy: Policy, store: Store,
    group: str | None = None, smallest_class: int = 2,
) -> Dataset:
    """Check the rows of a source and make a data set of them.

    Parameters
    ----------
    modalities : those the grid uses; the others are not looked at.
    policy : what to do with bad rows: "fail", "drop" them, or "keep" them with the bad picture or text
        marked missing (rows with a bad label or id, or with nothing left, are dropped then too).
    group : column that groups rows; "none" for no groups; None for the source's own.
    smallest_class : rows that a class needs, at least.

    Raises
    ------
    DatasetError
        With all problems: unreadable pictures, empty texts, missing labels, duplicate ids, small classes.
    """
    group_name = _group_name(samples, group)
    findings = _Findings()
    ids = _ids(samples, findings)
    digests, sizes = _pictures(samples, findings, store) if "image" in modalities else ({}, {})
    if "text" in modalities:
        _check_texts(samples, findings)
    _check_labels(samples, group_name, findings)
    kept = _apply(policy, len(samples), modalities, findings)
    kept = _drop_small_classes(samples, kept, smallest_class, policy, findings)
    if findings.lines and policy == "fail":
        raise DatasetError(findings.lines, _advice(len(findings.lines)))
    if len({samples.labels[row] for row in kept}) < 2:
        raise DatasetError([*findings.lines, f"{len(kept)} usable rows of fewer than two classes are left"],
                           "a comparison needs two classes at least")
    return _assemble(samples, kept, modalities, findings, ids, digests, sizes, group_name)


def _advice(count: int) -> str:
    return (f"{count} problems. Mend them, or say `on_bad_rows: drop` under data: to leave such rows out, "
            "or `keep` to keep them with the picture or text marked missing.")


def _group_name(samples: Samples, group: str | None) -> str | None:
    if group is None:
        return samples.group
    if group == "none":
        return None
    if group not in samples.groups:
        raise DatasetError([f"split.group: there is no group column '{group}'; "
                            f"{nearest(group, [*samples.groups, 'none'])}"], "")
    return group


def _ids(samples: Samples, findings: _Findings) -> list[str]:
    """Each row's id: its own, or its number where the source has no ids."""
    if samples.ids is None:
        return [str(row + 1) for row in range(len(samples))]
    first: dict[str, int] = {}
    for row, name in enumerate(samples.ids):
        if not name:
            findings.add(row, f"{samples.places[row]}: the id is empty")
        elif name in first:
            findings.add(row, f"{samples.places[row]}: the id '{name}' stands already in "
                              f"{samples.places[first[name]]}")
        else:
            first[name] = row
    return [name or "" for name in samples.ids]


def _pictures(
    samples: Samples, findings: _Findings, store: Store
) -> tuple[dict[int, str], dict[str, tuple[int, int]]]:
    """Digest of each readable picture by row, and width and height by digest."""
    rows = [row for row, picture in enumerate(samples.pictures) if picture is not None]
    for row in sorted(set(range(len(samples))) - set(rows)):
        findings.add(row, f"{samples.places[row]}: there is no picture", "image")
    digests: dict[int, str] = {}
    with ThreadPoolExecutor() as pool:
        for row, (digest, error) in zip(rows, pool.map(lambda row: _digest(samples.pictures[row]), rows),
                                        strict=True):
            if error:
                findings.add(row, f"{samples.places[row]}: {error}", "image")
            else:
                digests[row] = digest
    distinct = {digest: samples.pictures[row] for row, digest in digests.items()}
    sizes, errors = check_pictures(distinct, store)
    for row, digest in list(digests.items()):
        if digest in errors:
            picture = samples.pictures[row]
            name = picture.name if picture is not None else ""
            findings.add(row, f"{samples.places[row]}: picture {name}: {errors[digest]}", "image")
            del digests[row]
    return digests, sizes


def _digest(picture: Picture | None) -> tuple[str, str]:
    """The picture's digest, or why it has none."""
    assert picture is not None
    try:
        return picture.digest(), ""
    except OSError as error:
        return "", f"picture {picture.name}: {error.strerror or error}"


def _check_texts(samples: Samples, findings: _Findings) -> None:
    for row, text in enumerate(samples.texts):
        if text is None or not text.strip():
            findings.add(row, f"{samples.places[row]}: the text is empty", "text")


def _check_labels(samples: Samples, group_name: str | None, findings: _Findings) -> None:
    for row, label in enumerate(samples.labels):
        if not label:
            findings.add(row, f"{samples.places[row]}: the label is missing")
        if group_name is not None and not samples.groups[group_name][row]:
            findings.add(row, f"{samples.places[row]}: the group '{group_name}' is missing")
        if samples.split is not None and samples.split[row] not in ("train", "test"):
            findings.add(row, f"{samples.places[row]}: the split must be train or test, "
                              f"not {samples.split[row]!r}")


def _apply(policy: Policy, count: int, modalities: Sequence[Modality], findings: _Findings) -> list[int]:
    """Rows that stay under the policy (all of them under "fail": it raises later, with all problems)."""
    if policy == "drop":
        return [row for row in range(count) if row not in findings.fatal
                and not any(row in findings.missing[modality] for modality in modalities)]
    return [row for row in range(count) if row not in findings.fatal
            and not all(row in findings.missing[modality] for modality in modalities)]


def _drop_small_classes(
    samples: Samples, rows: list[int], smallest: int, policy: Policy, findings: _Findings
) -> list[int]:
    counts = Counter(samples.labels[row] for row in rows)
    small = {label for label, count in counts.items() if count < smallest}
    for label in sorted(map(str, small)):
        findings.lines.append(f"class '{label}' has {counts[label]} usable rows; the folds need {smallest} "
                              "of each class at least")
    return [row for row in rows if samples.labels[row] not in small]


def _assemble(
    samples: Samples, kept: list[int], modalities: Sequence[Modality], findings: _Findings, ids: list[str],
    digests: Mapping[int, str], sizes: Mapping[str, tuple[int, int]], group_name: str | None,
) -> Dataset:
    views: dict[Modality, Modal] = {}
    if "image" in modalities:
        views["image"] = _distinct(kept, digests, {row: samples.pictures[row] for row in digests})
    if "text" in modalities:
        texts = {row: str(samples.texts[row]) for row in kept if row not in findings.missing["text"]}
        views["text"] = _distinct(kept, {row: _text_digest(text) for row, text in texts.items()}, texts)
    names = [str(samples.labels[row]) for row in kept]
    classes, labels = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    groups = [str(samples.groups[group_name][row]) for row in kept] if group_name else None
    split = [str(samples.split[row]) for row in kept] if samples.split is not None else None
    row_ids = tuple(ids[row] for row in kept)
    fingerprint = key_of({
        "ids": row_ids, "labels": names, "groups": groups, "split": split,
        **{modality: [_nth(view.digests, i) for i in view.index] for modality, view in views.items()},
    })
    return Dataset(
        ids=row_ids, labels=labels.astype(np.int64), classes=tuple(map(str, classes)), views=views,
        texts=tuple(samples.texts[row] for row in kept),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64) if groups else None,
        group_name=group_name, split=np.array(split) if split else None, fingerprint=fingerprint,
        sizes=np.array([sizes[digest] for digest in views["image"].digests], dtype=np.int64).reshape(-1, 2)
        if "image" in views else None,
        dropped=tuple(findings.lines) if len(kept) < len(samples) or findings.lines else (),
        notes=_notes(kept, views, findings),
    )


def _nth(digests: tuple[str, ...], position: int) -> str | None:
    return digests[position] if position >= 0 else None


def _distinct(kept: list[int], digests: Mapping[int, str], samples: Mapping[int, Any]) -> Modal:
    """The distinct samples of the kept rows, sorted by digest."""
    rows = {digests[row]: row for row in reversed(kept) if row in digests}
    ordered = tuple(sorted(rows))
    position = {digest: i for i, digest in enumerate(ordered)}
    index = [position[digests[row]] if row in digests else -1 for row in kept]
    return Modal(ordered, [samples[rows[digest]] for digest in ordered], np.array(index, dtype=np.int64))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _notes(kept: list[int], views: Mapping[Modality, Modal], findings: _Findings) -> tuple[str, ...]:
    notes = []
    for modality, view in views.items():
        missing = int(np.sum(view.index < 0))
        if missing:
            noun = "picture" if modality == "image" else "text"
            notes.append(f"{missing} of {len(kept)} rows have no {noun}: they are kept, with the {noun} "
                         "marked missing.")
    return tuple(notes)
