"""Everything that can be said against a run before its first fit."""

from __future__ import annotations

from collections.abc import Iterator

from features.block import Modality, modality_of
from pipeline.config.cells import build_encoder
from pipeline.config.components import Component
from pipeline.data.near_duplicates import near_duplicates
from pipeline.folds.checks import checks_of_folds
from pipeline.plan.comparison import Comparison
from pipeline.plan.versions import code_versions
from pipeline.store.manifest import Entry
from reports.analysis.checks import Check, severe_first


def checks_before_fits(comparison: Comparison) -> tuple[Check, ...]:
    """What rows, folds, encoders and the install show, severe ones first; nothing is encoded."""
    doubts = [
        *_of_folds(comparison),
        *_unfit_encoders(comparison),
        *(Check("left out", sentence) for sentence in comparison.grid.left_out),
    ]
    return severe_first(doubts)


def _of_folds(comparison: Comparison) -> list[Check]:
    """What rows and folds show; kept in the store, where the next run finds it.

    To look takes .15 of the second that a cached run takes (benchmarks.start).
    """
    dataset, store = comparison.dataset, comparison.store
    unseen = comparison.grid.split.unseen_classes

    def look() -> Entry:
        near = near_duplicates(dataset, store)
        checks = checks_of_folds(dataset, comparison.folds, unseen, near)
        return Entry({}, {
            "label": f"{len(checks)} doubts",
            "names": [check.name for check in checks],
            "sentences": [check.sentence for check in checks],
            "severe": [check.sentence for check in checks if check.severe],
        })

    facts = store.get(
        {
            "kind": "checks", **code_versions(), "rows": dataset.digest,
            "folds": comparison.context.key, "unseen classes": unseen,
        },
        look,
        lambda entry: len(entry.facts["names"]) == len(entry.facts["sentences"]),
    ).facts
    return [
        Check(name, sentence, severe=sentence in facts["severe"])
        for name, sentence in zip(facts["names"], facts["sentences"], strict=True)
    ]


def _unfit_encoders(comparison: Comparison) -> Iterator[Check]:
    """Encoders that cannot read the samples as they are set."""
    encoders: dict[tuple[Modality, Component], None] = {}
    for cell in comparison.cells:
        for name, (component, _) in cell.encoders().items():
            encoders[modality_of(name), component] = None
    for modality, component in encoders:
        if modality not in comparison.dataset.modalities:
            continue
        encoder = build_encoder(modality, component, "pooled", comparison.seed)
        reason = encoder.unfit(comparison.dataset.modalities[modality].samples)
        if reason is not None:
            yield Check("unfit encoder", f"{component.label}: {reason}.")
