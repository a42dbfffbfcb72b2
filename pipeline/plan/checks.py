"""Everything that can be said against a run before its first fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from features.block import Modality, modality_of
from pipeline.config.cells import build_encoder
from pipeline.config.components import Component
from pipeline.data.near_duplicates import near_duplicates
from pipeline.engine.progress import step
from pipeline.folds.checks import checks_of_folds
from pipeline.plan.comparison import Comparison
from pipeline.plan.versions import code_versions
from pipeline.store.manifest import Entry
from reports.analysis.checks import Check, severe_first
from reports.wording import for_terminal


def checks_before_fits(comparison: Comparison) -> tuple[Check, ...]:
    """What rows, folds, encoders and the install show, severe ones first; nothing is encoded."""
    with step("look for leaks and duplicates"):
        doubts = [
            *_of_folds(comparison),
            *_unfit_encoders(comparison),
            *(Check("left out", sentence) for sentence in comparison.grid.left_out),
        ]
    return severe_first(doubts)


def said(check: Check) -> str:
    """A check as a line of a terminal."""
    return for_terminal(f"{'ALARM' if check.severe else 'warning'}: {check.sentence}")


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
            "label": f"{len(checks)} doubts", "checks": [asdict(check) for check in checks]
        })

    facts = store.get(
        {
            "kind": "checks", **code_versions(), "rows": dataset.digest,
            "folds": comparison.context.key, "unseen classes": unseen,
        },
        look,
        lambda entry: all(map(_is_check, entry.facts["checks"])),
    ).facts
    return [Check(**stored) for stored in facts["checks"]]


def _is_check(stored: Mapping[str, Any]) -> bool:
    """Whether what is stored has the fields of a check, each of its kind; anybody may write it."""
    kinds = {field.name: (bool if field.type == "bool" else str) for field in fields(Check)}
    return stored.keys() == kinds.keys() and all(
        isinstance(stored[name], kind) for name, kind in kinds.items()
    )


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
            yield Check("unfit encoder", f"{component.label}: {reason}.", bears=True)
