"""How the source is built: what CONTRIBUTING asks of names, functions and folders, measured.

`python -m tests.support.house [PATH...]` prints what breaks a rule.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

PACKAGES = ("features", "models", "pipeline", "reports")
VAGUE = frozenset(
    {"one", "many", "found", "each", "own", "wanted", "place", "places", "told", "kept"}
)
LONGEST_FUNCTION, LONGEST_LINE, FULLEST_FOLDER, MOST_PARAMETERS = 35, 100, 15, 6


def sources(*paths: Path) -> Iterator[Path]:
    """Python files under the paths, the four packages without any."""
    for path in paths or [ROOT / package for package in PACKAGES]:
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every variable, parameter, function and class that is bound."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def is_vague(name: str) -> bool:
    """Whether a name says nothing of what it holds."""
    return name.strip("_").lower() in VAGUE


def function_lines(node: ast.FunctionDef) -> int:
    """Lines of a function from `def` to its end, its docstring left out."""
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def parameters(node: ast.FunctionDef) -> int:
    """How many parameters a function takes, `self` and `cls` not counted."""
    names = [
        argument.arg
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    ]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_crowded(node: ast.AST) -> bool:
    """Whether a comprehension has more than one loop or more than one condition."""
    if not isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return False
    return len(node.generators) > 1 or sum(len(loop.ifs) for loop in node.generators) > 1


def problems(path: Path, root: Path = ROOT) -> Iterator[str]:
    """What in a file breaks a rule, with its line."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    where = path.relative_to(root)
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LONGEST_LINE:
            yield f"{where}:{number}: line of {len(line)} characters"
    for number, name in bound_names(tree):
        if is_vague(name):
            yield f"{where}:{number}: vague name {name}"
    for node in ast.walk(tree):
        if is_crowded(node):
            line = getattr(node, "lineno", 0)
            yield f"{where}:{line}: comprehension with several loops or conditions"
        if not isinstance(node, ast.FunctionDef):
            continue
        if (lines := function_lines(node)) > LONGEST_FUNCTION:
            yield f"{where}:{node.lineno}: {node.name} has {lines} lines"
        if node.name != "__init__" and (count := parameters(node)) > MOST_PARAMETERS:
            yield f"{where}:{node.lineno}: {node.name} takes {count} parameters"


def crowded_folders() -> list[str]:
    """Folders of the packages with more files than one takes in at a glance."""
    counts: Counter[Path] = Counter()
    for package in PACKAGES:
        files = [path for path in (ROOT / package).rglob("*") if path.is_file()]
        counts.update(path.parent for path in files if "__pycache__" not in path.parts)
    return [
        f"{folder.relative_to(ROOT)}: {count} files"
        for folder, count in sorted(counts.items())
        if count > FULLEST_FOLDER
    ]


if __name__ == "__main__":
    for source in sources(*(Path(path).resolve() for path in sys.argv[1:])):
        for problem in problems(source):
            print(problem)
