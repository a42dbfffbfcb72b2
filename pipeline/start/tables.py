"""From a table to the draft of a grid: which column is what, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features.machine.nearest import nearest
from pipeline.data.reading.class_folders import PARTS
from pipeline.data.reading.regular_files import is_outside
from pipeline.start import roles
from pipeline.start.column import Column, is_picture_path
from pipeline.start.draft import LARGE, Draft, Given, Line, NoStart, drawn
from pipeline.start.encoders import image_encoders, language_line, text_encoders
from pipeline.start.reading import LookedAt, look_at
from pipeline.start.roles import Candidate
from reports.wording import count, first_listed, listed, short

OTHERS = 5  # plausible labels that are named, and columns of each kind that are not used
SAME = 0.9  # share of rows in which a text stands within another, or names its class
DECIDES = 0.95  # share of rows whose class a column tells, of groups that must not be parted
HUGE = 20_000  # rows that are worth a first look at some of them
_WORD = re.compile(r"[^\W_]+")
GIVEN = "as you said"


@dataclass(frozen=True)
class _Parts:
    """The columns that were chosen; `doubts` are what choosing showed."""

    image: Candidate | None
    label: Candidate | None
    split: Candidate | None
    texts: tuple[Candidate, ...]
    id: Candidate | None
    group: Candidate | None
    seen: tuple[Line, ...]
    doubts: tuple[str, ...]


def table_draft(file: Path, given: Given) -> Draft:
    """What a grid of a table's rows would say, judged by its columns alone.

    Raises
    ------
    NoStart
        Where nothing can be compared, with what each column seems to be.
    SourceError
        Where the table cannot be read.
    """
    table = look_at(file)
    _check_given(table, given)
    parts = _parts(table, given)
    _check_enough(table, parts)
    texts = _joined(table, parts.texts)
    encoders, guess = text_encoders(texts) if parts.texts else ((), None)
    language = [] if guess is None else [language_line(guess)]
    return Draft(
        path=file,
        about=f"{count(table.rows, 'row')}, {count(len(table.columns), 'column')}",
        source="table",
        task="retrieval" if parts.label is None else "classification",
        data=tuple(_data(table, parts)),
        split=_split(table, parts),
        image=image_encoders() if parts.image else (),
        text=encoders,
        seen=(*_task(parts), *language, *parts.seen, *_first_look(table)),
        doubts=parts.doubts,
    )


def _check_given(table: LookedAt, given: Given) -> None:
    """Raise NoStart for columns that are named and not there."""
    columns = {column.name: column for column in table.columns}
    texts = (("text", name) for name in given.text)
    problems: list[str] = []
    for option, name in (("label", given.label), ("image", given.image), *texts):
        if name is not None and name not in columns:
            known = nearest(name, list(columns))
            problems.append(f"--{option}: {table.file.name} has no column '{name}'; {known}")
        elif name is not None and columns[name].kind == "unreadable":
            problem = columns[name].problem
            problems.append(f"--{option}: column '{name}' cannot be used: {problem}")
    if problems:
        raise NoStart("\n".join(problems))


def _check_enough(table: LookedAt, parts: _Parts) -> None:
    """Raise NoStart where there is nothing to compare."""
    lacking = []
    if not parts.image and not parts.texts:
        lacking.append("pictures or texts")
    if parts.label is None and not (parts.image and parts.texts):
        lacking.append("a class")
    if not lacking:
        return
    lines = [f"  {short(column.name, 40)}: {column.seems}" for column in table.columns]
    raise NoStart("\n".join([
        f"{table.file.name}: no column looks like {' or '.join(lacking)}, which a grid needs: "
        "pictures or texts, and a class (or both without a class, for retrieval). The columns:",
        *lines,
        *parts.doubts,
        "Name what you know: --label COLUMN, --image COLUMN, --text COLUMN",
    ]))


def _parts(table: LookedAt, given: Given) -> _Parts:
    free = [column for column in table.columns if column.kind != "unreadable"]
    image, doubts = _image(table, free, given.image)
    asked = {name for name in (given.label, given.image, *given.text) if name is not None}
    taken = _names([image])
    split = _first(roles.splits([column for column in free if column.name not in asked | taken]))
    taken |= _names([split])
    labels = roles.labels(
        [column for column in free if column.name not in taken | set(given.text)]
    )
    label = _as_given(table, given.label) or _first(labels)
    taken |= _names([label])
    texts, named = _texts(table, [column for column in free if column.name not in taken],
                          label, given.text)
    taken |= _names(texts)
    rest = [column for column in free if column.name not in taken]
    row_id = _first(roles.ids(rest))
    rest = [column for column in rest if column.name not in _names([row_id])]
    group = _first(roles.groups(rest)) or _deciding(table, rest, label)
    return _Parts(
        image=image, label=label, split=split, texts=texts, id=row_id, group=group,
        seen=(*_other_labels(labels, label), *named, *_telling_paths(table, image, label),
              *_unused([column for column in rest if column.name not in _names([group])],
                       [*labels, *roles.texts(rest)])),
        doubts=doubts,
    )


def _first(candidates: Sequence[Candidate]) -> Candidate | None:
    return candidates[0] if candidates else None


def _names(candidates: Iterable[Candidate | None]) -> set[str]:
    return {candidate.column.name for candidate in candidates if candidate is not None}


def _as_given(table: LookedAt, name: str | None) -> Candidate | None:
    if name is None:
        return None
    column = table.column(name)
    about = f"; {roles.sizes(column)}" if column.counts else ""
    return Candidate(column, 0, GIVEN + about)


# Pictures


def _image(
    table: LookedAt, columns: Sequence[Column], given: str | None
) -> tuple[Candidate | None, tuple[str, ...]]:
    """The column of pictures, and what is to be said of others that name none."""
    if given is not None:
        return Candidate(table.column(given), 0, GIVEN), ()
    usable, doubts = [], []
    for candidate in roles.pictures(columns):
        column = candidate.column
        there = 1.0 if column.holds_pictures else column.share(
            lambda path: (table.table.folder / path).is_file()
        )
        if there:
            usable.append((there * column.filled, candidate))
        else:
            doubts.append(_not_there(table, column))
    doubts += [
        f"'{column.name}' has pictures as {column.seems}, which no grid reads: write them to "
        "files beside the table, and their paths into it"
        for column in columns
        if column.kind == "base64" or (column.kind == "addresses" and _names_pictures(column))
    ]
    usable.sort(key=lambda pair: -pair[0])
    return (usable[0][1] if usable else None), () if usable else tuple(doubts)


def _names_pictures(column: Column) -> bool:
    """Whether web addresses end as picture files do."""
    paths = (address.partition("://")[2].partition("?")[0] for address in column.sample)
    return sum(map(is_picture_path, paths)) >= SAME * len(column.sample)


def _not_there(table: LookedAt, column: Column) -> str:
    """What is said of paths that lead nowhere, and where such a file lies."""
    first, folder = column.sample[0], table.table.folder
    said = (
        f"'{column.name}' seems to name picture files, but none is there: paths count from the "
        f"table's folder, and {short(str(folder / first), 200)} does not exist"
    )
    below = next((path.parent for path in sorted(folder.glob(f"*/{Path(first).name}"))), None)
    if below is None:
        return said
    return f"{said}. {below.name}/ has one of that name: write {below.name}/ before the names"


# Texts


def _texts(
    table: LookedAt, columns: Sequence[Column], label: Candidate | None, given: Sequence[str]
) -> tuple[tuple[Candidate, ...], tuple[Line, ...]]:
    """Columns of texts that say more than the others and do not just name the class."""
    if given:
        return tuple(Candidate(table.column(name), 0, GIVEN) for name in given), ()
    candidates = roles.texts(columns)
    naming = [] if label is None else [
        candidate for candidate in candidates if _names_class(table, candidate.column, label.column)
    ]
    # without another text it is better than none, and the run's own alarm says what it is worth
    left = [candidate for candidate in candidates if candidate not in naming] or candidates
    texts = _without_repeats(table, left)
    seen = [
        Line("leak", candidate.column.name, "names the class in nearly every row: left out")
        for candidate in naming
        if candidate not in left
    ]
    repeated = [candidate.column.name for candidate in left if candidate not in texts]
    if repeated:
        seen.append(Line("left out", listed(repeated), "within the texts that are taken"))
    return tuple(texts[: roles.MOST_TEXTS]), tuple(seen)


def _names_class(table: LookedAt, text: Column, label: Column) -> bool:
    """Whether nearly every text has all words of its class's name."""
    pairs = [
        (set(_WORD.findall(name.casefold())), set(_WORD.findall(value.casefold())))
        for value, name in zip(table.values(text.name), table.values(label.name), strict=True)
        if value and name
    ]
    return sum(bool(name) and name <= words for name, words in pairs) >= SAME * max(len(pairs), 1)


def _telling_paths(
    table: LookedAt, image: Candidate | None, label: Candidate | None
) -> Iterator[Line]:
    """Names of picture files that name the class."""
    if image is None or label is None or image.column.holds_pictures:
        return
    if _names_class(table, image.column, label.column):
        why = "names the class in nearly every row: no encoder sees it, and no text should"
        yield Line("leak", image.column.name, why)


def _without_repeats(table: LookedAt, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The texts without those that stand, in nearly every row, within another one."""
    values = {candidate.column.name: table.values(candidate.column.name)
              for candidate in candidates}
    left = list(candidates)
    for candidate in sorted(candidates, key=lambda candidate: candidate.column.characters):
        others = [other.column.name for other in left if other is not candidate]
        if any(_within(values[candidate.column.name], values[name]) for name in others):
            left.remove(candidate)
    return left


def _within(texts: Sequence[str | None], others: Sequence[str | None]) -> bool:
    pairs = [(text, other or "") for text, other in zip(texts, others, strict=True) if text]
    return sum(text in other for text, other in pairs) >= SAME * max(len(pairs), 1)


def _joined(table: LookedAt, texts: Sequence[Candidate]) -> list[str]:
    """What is written in each row that has a text."""
    values = [table.values(candidate.column.name) for candidate in texts]
    lines = (" ".join(filter(None, row)) for row in zip(*values, strict=True))
    return [line for line in lines if line]


# Groups, and what is not used


def _deciding(
    table: LookedAt, columns: Sequence[Column], label: Candidate | None
) -> Candidate | None:
    """A column that all but tells the class, and has rows enough to have been remembered."""
    if label is None:
        return None
    classes = table.values(label.column.name)
    for column in columns:
        enough = label.column.distinct * 2 <= column.distinct < column.rows / 2
        if not enough or column.kind != "categories" or not roles.may_group(column):
            continue
        share = roles.deciding(table.values(column.name), classes)
        if share >= DECIDES:
            why = f"tells the class of {share:.0%} of the rows; {column.distinct:,} of them"
            return Candidate(column, share, why)
    return None


def _other_labels(labels: Sequence[Candidate], label: Candidate | None) -> list[Line]:
    others = [other for other in labels if label is None or other.column is not label.column]
    names = [f"{short(other.column.name, 40)} ({roles.sizes(other.column)})" for other in others]
    return [Line("or label", first_listed(names, OTHERS), "plausible, too")] if names else []


def _unused(columns: Sequence[Column], candidates: Sequence[Candidate]) -> list[Line]:
    """Columns that no part was thought of for."""
    plausible = _names(candidates)
    said = [f"{short(column.name, 40)} ({column.seems})" for column in columns
            if column.name not in plausible]
    return [Line("not used", first_listed(said, OTHERS))] if said else []


# Lines of the grid


def _data(table: LookedAt, parts: _Parts) -> Iterable[Line]:
    if table.quoting is not None:
        why = "quotes are letters here: read as marks, they swallow rows"
        yield Line("quoting", table.quoting, why)
    if parts.image is not None:
        column = parts.image.column
        yield Line("image", column.name, parts.image.why)
        paths = () if column.holds_pictures else column.counts
        if any(is_outside(path, table.table.folder) for path in paths):
            yield Line("allow_outside", True,
                       "the table names pictures outside its folder; true lets it name any file")
    if parts.texts:
        names = [candidate.column.name for candidate in parts.texts]
        why = "; ".join(f"{candidate.column.name}: {candidate.why}" for candidate in parts.texts)
        yield Line("text", names if len(names) > 1 else names[0],
                   why if len(names) > 1 else parts.texts[0].why)
    for key, candidate in (("label", parts.label), ("id", parts.id)):
        if candidate is not None:
            yield Line(key, candidate.column.name, candidate.why)
    if parts.split is not None:
        yield Line("split", parts.split.column.name, f"says of each row: {parts.split.why}")
        yield from _parts_of_split(parts.split.column)
    elif parts.group is not None:
        yield from _group(parts.group)


def _parts_of_split(column: Column) -> Iterable[Line]:
    others = [value for value in column.counts if value.casefold() not in PARTS]
    taken = [value for value in column.counts if value not in others]
    lost = column.rows - sum(column.counts[value] for value in taken)
    if lost:
        yield Line("where", {column.name: taken},
                   f"{count(lost, 'row')} of other parts ({', '.join(others) or 'none'}) stay out")


def _group(group: Candidate) -> Iterable[Line]:
    column = group.column
    yield Line("group", column.name,
               f"rows of one {column.name} stay in one fold, as new items bring new ones; "
               f"{group.why}")
    lacking = column.rows - column.filled
    if lacking:
        yield Line("missing_group", "own",
                   f"{count(lacking, 'row has', 'rows have')} none, and each counts as one of its "
                   "own: fail would refuse them")


def _task(parts: _Parts) -> Iterator[Line]:
    if parts.label is None:
        yield Line("task", "retrieval", "no column looks like a class: asked is which space finds "
                   "the picture of a text; --label COLUMN names a class")


def _first_look(table: LookedAt) -> Iterator[Line]:
    if table.rows > HUGE:
        yield Line("a first look", f"sample: {LARGE}",
                   "under data: takes as many rows at random; all of them may take long")


def _split(table: LookedAt, parts: _Parts) -> Line:
    split = drawn(table.rows, "row")
    if parts.label is None and parts.texts and parts.image:
        return replace(split, why="a picture and its texts stay together")
    if parts.split is not None:
        return Line("split", {"official": True},
                    "as the column says; {folds: 5} draws folds, which say how sure an answer is")
    return split
