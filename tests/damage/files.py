"""Files that were harmed: of a store, of a run's folder, of a bundle and of an index."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from pipeline.compare import CompareError, read_run
from pipeline.config.grid import GridError
from pipeline.store.__main__ import prune
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST
from pipeline.use.bundle import Bundle
from pipeline.use.finished_run import BEST, FinishedRun
from pipeline.use.index.index import Index, Wish
from pipeline.use.problem import BundleError
from tests.damage.running import COMMAND, Running
from tests.damage.scene import Scene, Stand
from tests.damage.tally import Tally

ROUNDS = 6  # whole runs over a store of which a part was harmed
SHARE = 0.2  # of its files
EDGE = 64  # bytes that are the start of a file, or its end


def _flipped(low: float, high: float) -> Callable[[bytes, random.Random], bytes]:
    def flip(content: bytes, chance: random.Random) -> bytes:
        size = len(content)
        first = int(low * size) if low else 0
        last = int(high * size) if high < 1 else size
        if not low:
            last = min(last, EDGE)
        if high == 1:
            first = max(first, size - EDGE)
        changed = bytearray(content)
        changed[chance.randrange(first, max(first + 1, last))] ^= 1 << chance.randrange(8)
        return bytes(changed)

    return flip


HARMS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit flipped in the header": _flipped(0, 0.4),
    "a bit flipped in the middle": _flipped(0.3, 0.7),
    "a bit flipped at the end": _flipped(0.6, 1),
    "cut short": lambda content, chance: content[: chance.randrange(1, max(2, len(content)))],
    "emptied": lambda content, chance: b"",
}


@contextmanager
def harmed(path: Path, harm: str, chance: random.Random) -> Iterator[None]:
    """Within, a file is harmed."""
    content = path.read_bytes()
    _write(path, HARMS[harm](content, chance))
    try:
        yield
    finally:
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    """Into a file of its own: it may be linked elsewhere."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def harm_files(scene: Scene, tally: Tally, seed: int) -> None:
    """Harm every file in every way."""
    chance = random.Random(seed)
    stand = scene.copy("store", "out")
    harm_store(stand, tally, chance)
    for number in range(ROUNDS):
        _whole_run(scene, tally, random.Random(f"{seed} {number}"))
    _run_folder(scene, stand, tally, chance)
    made_of(stand)
    _bundle(stand.folder / "model", tally, chance)
    _index(stand.folder / "index", tally, chance)
    shutil.rmtree(stand.folder)


def made_of(stand: Stand) -> None:
    """A bundle of its run and an index of its rows, both beside it."""
    model, items = str(stand.folder / "model"), str(stand.folder / "items.csv")
    for command in (
        ["pipeline.bundle", str(stand.out), "-o", model, "--jobs", "1",
         "--cell", "handcrafted + tfidf / concat / random_forest(trees=5)"],
        ["pipeline.index", model, items, "-o", str(stand.folder / "index")],
    ):
        with Running([*COMMAND, *command], stand.folder) as made:
            if made.end() != 0:
                raise RuntimeError(made.text)


# Stores


def harm_store(stand: Stand, tally: Tally, chance: random.Random) -> None:
    """Every harm to every file is noticed."""
    for entry in stand.store.entries():
        for path in sorted(entry.iterdir()):
            kind = "manifest" if path.name == MANIFEST else f"array ({path.suffix})"
            for harm in HARMS:
                with harmed(path, harm, chance):
                    noticed = FolderStore(stand.store.root).problem(entry.name)
                problems = [] if noticed else [f"{path.name} of {entry.name[:12]}: not noticed"]
                tally.note(f"store, {kind}: {harm}", problems)


def _whole_run(scene: Scene, tally: Tally, chance: random.Random) -> None:
    """A run over a store some of whose files were harmed says so, and ends as if none were."""
    stand = scene.copy("store", "out")
    files = list(chain.from_iterable(sorted(entry.iterdir()) for entry in stand.store.entries()))
    struck = [path for path in files if chance.random() < SHARE]
    for path in struck:
        _write(path, HARMS[chance.choice(list(HARMS))](path.read_bytes(), chance))
    entries = {path.parent.name for path in struck}
    with stand.start(chance.choice([1, 2])) as run:
        run.end()
        mended = [key for key in entries if stand.store.problem(key) is None]
        silent = [key for key in mended if f"store entry {key[:12]} is damaged" not in run.text]
        prune(stand.store)
        problems = [*scene.problems(stand, run), *(f"{key[:12]} mended unsaid" for key in silent)]
    tally.note("store, harmed files, then a whole run", problems, tries=len(struck))
    shutil.rmtree(stand.folder)


# Folders


def _run_folder(scene: Scene, stand: Stand, tally: Tally, chance: random.Random) -> None:
    """What is read of a run's folder is as it was, or refused; the next run puts it right."""
    sound = _as_read(stand.out)
    for path in _files(stand.out):
        kind = path.suffix if path.parent == stand.out else "charts"
        for harm in HARMS:
            with harmed(path, harm, chance):
                problems = _refused_or_same(lambda: _as_read(stand.out) == sound)
            tally.note(f"run folder, {kind}: {harm}", problems)
    for path in (path for path in _files(stand.out) if path.parent == stand.out):
        again = scene.copy("store", "out", "tmp")
        target = again.out / path.relative_to(stand.out)
        _write(target, HARMS[chance.choice(list(HARMS))](target.read_bytes(), chance))
        tally.note("run folder, a harmed file, then a whole run", scene.after(again))
        shutil.rmtree(again.folder)


def _as_read(folder: Path) -> object:
    """What commands take from a run's folder: a bundle's cell and grid, scores to compare.

    Where grid and store lie is no part of it: other rows are found out, another store is filled.
    """
    run = FinishedRun.at(folder)
    scored = read_run(folder, "balanced_accuracy", "cell", greater_is_better=True)
    return run.cell_name(BEST), run.lock, run.grid.name, run.fingerprint, run.verdict, scored


def _bundle(model: Path, tally: Tally, chance: random.Random) -> None:
    for path in _files(model):
        for harm in HARMS:
            with harmed(path, harm, chance):
                problems = _refused_or_same(lambda: Bundle.load(model) is None)
            tally.note(f"bundle, {path.suffix}: {harm}", problems)


def _index(folder: Path, tally: Tally, chance: random.Random) -> None:
    """A harmed index answers as before, or not at all."""
    sound = _answers(folder)
    for path in _files(folder):
        for harm in HARMS:
            with harmed(path, harm, chance):
                problems = _refused_or_same(lambda: _answers(folder) == sound)
            tally.note(f"index, {path.suffix}: {harm}", problems)


def _answers(folder: Path) -> object:
    index = Index.load(folder)
    hits = index.search("whiskers purr", wish=Wish(count=len(index), by="text"))
    vectors = {space.name: np.array(array) for space, array in index.files.vectors.items()}
    sums = {name: array.tobytes() for name, array in vectors.items()}
    there = {name: array.tobytes() for name, array in index.files.present.items()}
    return hits, [hit.thumbnail for hit in hits], sums, there, index.files.measured


def _refused_or_same(is_same: Callable[[], bool]) -> list[str]:
    """What is wrong where something harmed is read."""
    try:
        return [] if is_same() else ["not noticed"]
    except (BundleError, GridError, CompareError):
        return []
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
