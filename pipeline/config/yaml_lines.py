"""Reading a YAML file safely, remembering in which line each key and item stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.config.problem import KeyPath, Problem

Lines: TypeAlias = dict[KeyPath, int]


def read_yaml(path: Path) -> tuple[Any, Lines, list[Problem]]:
    """Plain Python content of a YAML 1.2 file, the line of every path in it, and what is wrong.

    Only plain values are built (no objects). A key that stands twice is a problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return None, {}, [Problem((), f"cannot be read: {error.strerror or error}")]
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is {error.object[error.start]:#04x}"
        return None, {}, [Problem((), f"is not UTF-8 text: {byte}")]
    return parse_yaml(text)


def parse_yaml(text: str) -> tuple[Any, Lines, list[Problem]]:
    """What `read_yaml` gives of a file, of its text."""
    reader = YAML(typ="rt", pure=True)
    try:
        content = reader.load(text)
    except MarkedYAMLError as error:
        line = (error.problem_mark.line + 1) if error.problem_mark else 1
        rule = " ".join(str(error.problem or error.context).split())
        return None, {(): line}, [Problem((), f"is not valid YAML: {rule}")]
    except YAMLError as error:
        return None, {}, [Problem((), f"is not valid YAML: {error}")]
    lines: Lines = {(): 1}
    return _plain(content, (), lines), lines, []


def _plain(node: object, path: KeyPath, lines: Lines) -> Any:
    """The node without YAML's own types; records the line of every entry."""
    if isinstance(node, CommentedMap):
        for key in node:
            # a merged key (<<) has no line of its own
            line = node.lc.data.get(key, [node.lc.line])[0]
            lines[(*path, str(key))] = line + 1
        return {str(key): _plain(value, (*path, str(key)), lines) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        for position in range(len(node)):
            lines[(*path, position)] = node.lc.item(position)[0] + 1
        return [_plain(value, (*path, position), lines) for position, value in enumerate(node)]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def location(file: str, path: KeyPath, lines: Lines) -> str:
    """Where a path stands in the file, like "grid.yaml:12: text[1].tfidf.ngrams"."""
    known = path
    while known and known not in lines:
        known = known[:-1]
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    dotted = "".join(parts).lstrip(".")
    # what was given as a mapping has no lines
    where = f"{file}:{lines.get(known, 1)}" if lines or not path else file
    return where + (f": {dotted}" if dotted else "")
