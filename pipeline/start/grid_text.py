"""A draft as the text of a grid file, with the reason of each line beside or above it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pipeline.config.component_lists import default_fusions
from pipeline.start.draft import Draft, Line
from reports.wording import clean

WIDTH = 100
# Words that YAML takes for something else than themselves.
_NOT_TEXT = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|none")
_PLAIN = re.compile(r"[^\W\d][\w ./-]*\w|[^\W\d]")


def grid_text(draft: Draft, name: str, path: str, command: str) -> str:
    """The text of a grid.

    Parameters
    ----------
    name : of the run.
    path : from the grid's folder to what was looked at.
    command : by which the grid is run.
    """
    content = draft.content(path)
    lines = [
        *_comment(f"{draft.path.resolve().name}: {draft.about}. Each line says why; change what "
                  "you know better."),
        f"#   {command}",
        *chain.from_iterable(_comment(sentence(line)) for line in draft.seen),
        *chain.from_iterable(map(_comment, draft.doubts)),
        f"name: {scalar(name)}",
        *([f"task: {draft.task}"] if draft.task != "classification" else []),
        "data:",
        f"  source: {draft.source}",
        f"  path: {scalar(path)}",
        *_block(draft.data, "  {key}: {value}"),
        *_block([draft.split], "{key}: {value}"),
    ]
    for key, entries in (("image", draft.image), ("text", draft.text)):
        lines += [f"{key}:", *_block(entries, "  - {value}", in_list=True)] if entries else []
    lines += ["# what is compared without a list of your own:",
              f"# fusion: {flow(default_fusions(content).entries)}"]
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str = "") -> list[str]:
    text = " ".join(clean(text).split())
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", break_on_hyphens=False,
                         subsequent_indent=f"{indent}#   ", break_long_words=False)


def sentence(line: Line) -> str:
    """What was seen, for a reader: its heading, what it is, and why."""
    return f"{line.key}: {line.value}" + (f" ({line.why})" if line.why else "")


def _block(entries: Sequence[Line], form: str, in_list: bool = False) -> Iterator[str]:
    """Lines with their reasons: behind them where these are short, else above."""
    for entry in entries:
        value = flow(entry.value)
        if in_list and isinstance(entry.value, Mapping):
            value = value[1:-1]  # - name: {...} is a mapping, too
        line = form.format(key=entry.key, value=value)
        indent = " " * (len(line) - len(line.lstrip()))
        why = " ".join(clean(entry.why).split())
        if not why:
            yield line
        elif len(line) + len(why) + 4 <= WIDTH:
            yield f"{line}  # {why}"
        else:
            yield from _comment(why, indent)
            yield line


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A number, truth or text; text in quotes where YAML would take it for something else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if (_PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text)) or re.fullmatch(
            r"(\.\./)*\w[\w/-]*\.[a-z]+", text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # what YAML's double quotes may not hold as it is
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]",
                  lambda sign: f"\\u{ord(sign[0]):04x}", quoted)
