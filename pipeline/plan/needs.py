"""How much memory fits take, and what --plan and a run say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from features.block import Form, Modality, modality_of
from models.course import TrainsNetwork
from models.fusion import solves_jointly
from models.softmax.design_matrix.mapped import LARGE
from models.softmax.problem import AT_ONCE
from models.unlabelled import LearnsFromUnlabelled
from pipeline.engine.task import Engine
from pipeline.store.store import Store
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.unit import Unit
from reports.units import GIGABYTE, gigabytes
from reports.wording import count

# Resident memory of a process with what it imports, measured: scikit-learn, and with torch's
# optimisers.
PROCESS, NETWORKS = 0.25 * GIGABYTE, 0.85 * GIGABYTE
# Bytes of work for every byte of a unit's training features, at the peak, measured over the fusions
# and classifiers (1 to 8 for pooled features): copies for scaled rows, folds and solvers. Sequences
# are read piece by piece.
COPIES: Mapping[Form, float] = {"pooled": 8.0, "sequence": 1.3, "inputs": 1.3}
# An encoder in training keeps the maps of a batch: so much for each number of a picture or text,
# forwards and back.
MAPS, BATCH = 1200, 32
# bytes that a softmax solver holds for each logit of its problems, of which few are under way at
# once
OF_LOGIT = 12
# Dense rows that are larger are mapped, not held (benchmarks.scale: 1.8 GB of a million rows).
MAPPED = 8 * LARGE
# Numbers of 4 bytes of a sample (of pixels, one each) where its features are not stored yet: wider
# than most are.
GUESSED: Mapping[tuple[Modality, Form], int] = {
    ("image", "pooled"): 2048,
    ("image", "sequence"): 49 * 2048,
    ("image", "inputs"): 3 * 224 * 224 // 4,
    ("text", "pooled"): 1024,
    ("text", "sequence"): 64 * 768,
    ("text", "inputs"): 256,
}


class Needs:
    """Bytes that a process needs at the peak of a unit's work, from the features in a store.

    Right within a factor of two on the grids it was measured on; what only the work itself decides
    (how many terms a text has, how deep trees grow) is not in it.
    """

    def __init__(self, store: Store, classes: int) -> None:
        self._store, self._classes = store, classes
        self._numbers: dict[str, float] = {}

    def of(self, unit: Unit) -> float:
        """Bytes of one unit."""
        needs = unit.estimator.needs
        learns_more = isinstance(unit.estimator, LearnsFromUnlabelled)
        unlabelled = unit.fold.splits()[0][2] if learns_more else ()
        rows = len(unit.fold.train) + len(unlabelled)
        has_network = "sequence" in needs.values() or isinstance(unit.estimator, TrainsNetwork)
        size = NETWORKS if has_network else PROCESS
        for name, forms in unit.features.items():
            outer, form = forms[0], needs[modality_of(name)]
            numbers = self._numbers_of(outer, form)
            copies = COPIES[form] * 4 * rows * (1 + outer.encoder.augmented) * numbers
            mapped = solves_jointly(unit.estimator) and not outer.is_sparse(self._store)
            size += min(copies, MAPPED) if mapped else copies
            size += MAPS * BATCH * numbers if form == "inputs" else 0
        return size + min(AT_ONCE, OF_LOGIT * rows * self._classes * unit.fits)

    def work(self, unit: Unit) -> float:
        """Numbers that all fits of one unit read: its time grows with them."""
        needs = unit.estimator.needs
        return unit.fitted_rows * sum(
            self._numbers_of(forms[0], needs[modality_of(name)])
            for name, forms in unit.features.items()
        )

    def _numbers_of(self, features: Features, form: Form) -> float:
        """Stored numbers of a sample, 4 bytes each; those of a sparse one with their columns."""
        if features.key not in self._numbers:
            numbers = features.numbers_of_sample(self._store)
            guessed = GUESSED[features.modality, form]
            self._numbers[features.key] = guessed if numbers is None else numbers
        return self._numbers[features.key]


def memory_text(units: Iterable[Unit], needs: Needs, engine: Engine) -> list[str]:
    """What --plan and a run say of memory: the largest need, and what goes with fewer processes."""
    sizes = {unit: needs.of(unit) for unit in units}
    if not sizes:
        return []
    available, jobs = engine.memory, engine.slots
    largest = max(sizes, key=lambda unit: sizes[unit])
    lines = [
        f"about {gigabytes(jobs * sizes[largest])} with "
        f"{count(jobs, 'process', 'processes')}, "
        f"{gigabytes(available)} are free"
    ]
    fewer = [
        unit for unit, need in sizes.items() if engine.side_by_side(need) < jobs
    ]
    if fewer:
        at_once = max(1, engine.side_by_side(sizes[largest]))
        lines.append(
            f"{count(len(fewer), 'result is', 'results are')} computed with fewer processes side "
            f"by side, the largest, of {largest.cell.name}, {at_once} at a time"
        )
    if not engine.side_by_side(sizes[largest]):
        lines.append(
            f"{largest.cell.name} alone needs about {gigabytes(sizes[largest])}: it may be stopped "
            "for want of memory; take fewer rows (data.sample), fewer components or a smaller "
            "encoder"
        )
    return lines
