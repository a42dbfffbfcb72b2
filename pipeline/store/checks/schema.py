"""The fields of a manifest: a sealed one may come from anybody, and say anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pipeline.store.checks.layouts import LAYOUTS

Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# A name, no path: it lies in the entry's own folder.
FileName = Annotated[str, StringConstraints(pattern=r"^[\w-][\w.-]*\.np[yz]$", max_length=255)]
Whole = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class FileSchema(BaseModel):
    """See pipeline.store.manifest.StoredFile."""

    model_config = ConfigDict(strict=True)

    file: FileName
    shape: Annotated[list[Whole], Field(max_length=8)]
    dtype: Annotated[str, StringConstraints(max_length=20)]
    bytes: Whole
    sha256: Key


class FactsSchema(BaseModel):
    """Facts of any kind of entry that others than its maker read."""

    model_config = ConfigDict(strict=True)

    label: str | None = None
    work: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    encode_seconds: Seconds | None = None
    counts: dict[str, int] | None = None
    shards: list[Key] | None = None
    shape: Annotated[list[Whole], Field(min_length=2, max_length=8)] | None = None


class ManifestSchema(BaseModel):
    """A manifest."""

    model_config = ConfigDict(strict=True)

    format: int
    key: Key
    ingredients: dict[str, Any]
    files: dict[str, FileSchema]
    facts: dict[str, Any]
    seconds: Seconds
    created: Annotated[float, Field(allow_inf_nan=False)]
    machine: Annotated[str, StringConstraints(max_length=1000)] | None = None


def schema_problem(manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with the fields of a manifest, and with its kind's layout; None if nothing."""
    try:
        checked = ManifestSchema.model_validate(manifest)
        FactsSchema.model_validate(checked.facts)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        if where.endswith(".file"):
            return "its manifest names the file of an array that lies elsewhere, or is none"
        return f"its manifest is not as it should be: {where}: {first['msg']}"
    for name, about in checked.files.items():
        if not _fits(about):
            return f"its manifest promises more of array {name} than its file can hold"
    layout = LAYOUTS.get(str(checked.ingredients.get("kind")))
    return None if layout is None else layout.problem(manifest["files"], checked.facts)


def _fits(about: FileSchema) -> bool:
    """Whether an array's file can hold an array of its shape, of plain values."""
    try:
        dtype = np.dtype(about.dtype)
    except (TypeError, ValueError, SyntaxError):
        return False
    if dtype.kind not in "biufU":
        return False
    if about.file.endswith(".npz"):  # CSR: where each row ends is in it
        return len(about.shape) == 2 and 4 * about.shape[0] <= about.bytes
    return math.prod(about.shape) * dtype.itemsize <= about.bytes
