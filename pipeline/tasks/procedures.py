"""Versions of procedures whose code decides stored numbers; encoders and models have their own.

Raise a procedure's version whenever it computes something else from the same features, models and
rows: what was stored by the former one is then computed anew.
"""

from __future__ import annotations

from models.classifiers.temperature import VERSION as TEMPERATURE

VERSIONS: dict[str, int] = {
    # pipeline.tasks.encoding.encode and shard: which samples an encoder learns from, in which
    # pieces it transforms them
    "encode": 1,
    # pipeline.tasks.fit and inner: the choice of a setting, what is fitted on, aligned and averaged
    # predictions
    "fit": 1,
    # pipeline.config.cells and pipeline.tasks.inner: which settings are tried after a step
    "steps": 2,
    "combine": 1,  # pipeline.tasks.combination: which predictions a rule learns from and combines
    "temperature": TEMPERATURE,
}


def versions_of(*names: str) -> dict[str, dict[str, int]]:
    """What a key says of the procedures that decide its value.

    A first version says nothing, so that what was stored before procedures had versions keeps its
    key.
    """
    raised = {name: VERSIONS[name] for name in names if VERSIONS[name] > 1}
    return {"procedures": raised} if raised else {}
