"""What is wrong with a source's rows: found before any encoding, all of it, with place and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from features.block import Modality
from features.machine.threads import ordered
from pipeline.data.picture_check import check_pictures
from pipeline.data.samples import Picture, Samples
from pipeline.engine.progress import counted, step
from pipeline.store.store import Store
from reports.wording import count, short

Policy = Literal["fail", "drop", "keep"]
MissingGroup = Literal["own", "fail"]
POLICIES: dict[Policy, str] = {
    "fail": "all of them are named, and nothing is run",
    "drop": "they are left out, and named",
    "keep": "they take part with the modality that they have; those with none are left out",
}
MISSING_GROUPS: dict[MissingGroup, str] = {
    "own": "each is a group of its own",
    "fail": "they are named, and nothing is run",
}
# pictures that a thread reads before it reports: asking for each takes longer than its digest
AT_ONCE = 64


@dataclass(frozen=True)
class RowRules:
    """What is asked of rows.

    Parameters
    ----------
    policy : what to do with bad rows: "fail", "drop" them, or "keep" them with the bad picture or
        text marked missing (rows with a bad label or id, or with nothing left, are dropped then
        too).
    group : column that groups rows; "none" for no groups; None for the source's own.
    missing_group : what a row without a value in the grouping column is: a group of its "own", or a
        bad row ("fail").
    smallest_class : rows that a class needs, at least.
    keep_unlabelled : whether rows without a label stay; no model that needs labels ever sees them.
    labelled : whether rows have labels at all; where they have none, each must be a pair of a
        picture and a text.
    """

    policy: Policy = "fail"
    group: str | None = None
    missing_group: MissingGroup = "own"
    smallest_class: int = 2
    keep_unlabelled: bool = False
    labelled: bool = True


@dataclass
class Findings:
    """Everything found, by row.

    Attributes
    ----------
    reasons : row -> what is wrong with it, each with its place.
    kinds : row -> the first of these, without what differs from row to row.
    missing : for each modality in use, the rows without a usable picture or text.
    unusable : rows that no policy can keep: no label, an id that stands twice, ...
    digests, sizes : of the readable pictures, by row and by digest.
    """

    reasons: dict[int, list[str]] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)
    missing: dict[Modality, set[int]] = field(default_factory=dict)
    unusable: set[int] = field(default_factory=set)
    digests: dict[int, str] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, row: int, reason: str, kind: str) -> None:
        """Note what is wrong with a row, and of which kind that is."""
        self.reasons.setdefault(row, []).append(reason)
        self.kinds.setdefault(row, kind)

    def add(
        self, row: int, reason: str, modality: Modality | None = None, kind: str = ""
    ) -> None:
        """Note what is wrong with a row; without a modality the row is unusable.

        Its kind is by default what stands behind its place.
        """
        self.note(row, reason, kind or reason.partition(": ")[2] or reason)
        if modality is None:
            self.unusable.add(row)
        else:
            self.missing[modality].add(row)

    def lines(self, rows: Iterable[int] | None = None) -> list[str]:
        """The reasons of some rows, of all (in their order) without `rows`."""
        lines = []
        for row in sorted(self.reasons) if rows is None else rows:
            lines += self.reasons[row]
        return lines

    def usable(self, count: int, policy: Policy) -> list[int]:
        """Rows with all of the modalities in use, or (policy "keep") with one at least."""
        enough = all if policy == "drop" else any

        def has_samples(row: int) -> bool:
            return not self.missing or enough(row not in rows for rows in self.missing.values())

        rows = (row for row in range(count) if row not in self.unusable)
        return [row for row in rows if has_samples(row)]


def check_rows(
    samples: Samples,
    ids: Sequence[str],
    modalities: Iterable[Modality],
    rules: RowRules,
    store: Store,
) -> Findings:
    """Look at every row: decode its picture in full, see that text, label and id are there."""
    findings = Findings(missing={modality: set() for modality in modalities})
    if "image" in findings.missing:
        _check_pictures(samples, findings, store)
    if "text" in findings.missing:
        for row, text in enumerate(samples.texts):
            if text is None or not text.strip():
                findings.add(row, f"{samples.locations[row]}: the text is empty", "text")
    if samples.ids is not None:
        _check_ids(samples, ids, findings)
    _check_labels(samples, rules, findings)
    return findings


def no_picture(location: str) -> str:
    """What is wrong with a row that names none."""
    return f"{location}: there is no picture"


def _check_pictures(samples: Samples, findings: Findings, store: Store) -> None:
    there = {row: picture for row, picture in enumerate(samples.pictures) if picture is not None}
    for row in range(len(samples)):
        if row not in there:
            findings.add(row, no_picture(samples.locations[row]), "image")
    pictures = list(there.values())
    parts = [pictures[start:start + AT_ONCE] for start in range(0, len(pictures), AT_ONCE)]
    with step("read pictures", len(pictures), "pictures") as tell:
        read = list(counted(chain.from_iterable(ordered(_digests, parts)), tell))
    for row, (digest, error) in zip(there, read, strict=True):
        if error:
            _add_picture(findings, samples, row, error)
        else:
            findings.digests[row] = digest
    distinct = {digest: there[row] for row, digest in findings.digests.items()}
    findings.sizes, errors = check_pictures(distinct, store)
    for row, digest in list(findings.digests.items()):
        if digest in errors:
            _add_picture(findings, samples, row, errors[digest])
            del findings.digests[row]


def _add_picture(findings: Findings, samples: Samples, row: int, error: str) -> None:
    """Note why a row's picture cannot be used; it is named where the row's place does not."""
    picture, location = samples.pictures[row], samples.locations[row]
    assert picture is not None
    name = "" if picture.name == location else f" {short(picture.name, 200)}"
    findings.add(row, f"{location}: picture{name}: {error}", "image", f"picture: {short(error)}")


def _digests(pictures: Sequence[Picture]) -> list[tuple[str, str]]:
    return [_digest(picture) for picture in pictures]


def _digest(picture: Picture) -> tuple[str, str]:
    """The picture's digest, or why it has none."""
    try:
        return picture.digest(), ""
    except OSError as error:
        return "", error.strerror or str(error)


def _check_ids(samples: Samples, ids: Sequence[str], findings: Findings) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name:
            findings.add(row, f"{samples.locations[row]}: the id is empty")
        elif name in first:
            findings.add(
                row,
                f"{samples.locations[row]}: the id '{short(name)}' stands already in "
                f"{samples.locations[first[name]]}",
                kind="the id stands in another row, too",
            )
        elif not _is_text(name):
            findings.add(
                row,
                f"{samples.locations[row]}: the id {name[:80]!r} cannot be written as UTF-8",
                kind="the id cannot be written as UTF-8",
            )
        else:
            first[name] = row


def _check_labels(samples: Samples, rules: RowRules, findings: Findings) -> None:
    grouped = samples.groups.get(rules.group or "") if rules.missing_group == "fail" else None
    for row, label in enumerate(samples.labels):
        if not label and rules.labelled and not rules.keep_unlabelled:
            findings.add(row, f"{samples.locations[row]}: the label is missing")
        elif label and not _is_text(label):
            findings.add(
                row,
                f"{samples.locations[row]}: the label {label[:80]!r} cannot be written as UTF-8",
                kind="the label cannot be written as UTF-8",
            )
        if grouped and not grouped[row]:
            findings.add(row, f"{samples.locations[row]}: the group '{rules.group}' is missing")
        if samples.split is not None and samples.split[row] not in ("train", "test"):
            findings.add(
                row,
                f"{samples.locations[row]}: the split must be train or test, not "
                f"{samples.split[row]!r}",
            )


def _is_text(text: str) -> bool:
    """Whether the text has no half characters (lone surrogates), which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def small_classes(samples: Samples, rows: Sequence[int], smallest: int) -> dict[str, str]:
    """Classes with fewer rows than the folds need, each with the sentence that says so."""
    counts = Counter(str(samples.labels[row]) for row in rows if samples.labels[row])
    return {
        label: f"class '{short(label)}' has {count(size, 'usable row')}; the folds need {smallest} "
               "of each class at least"
        for label, size in sorted(counts.items())
        if size < smallest
    }
