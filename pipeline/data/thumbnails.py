"""Small pictures of single rows, for the report: what the encoders see, made when asked for."""

from __future__ import annotations

import io

from features.pictures.decoding import decode
from pipeline.data.dataset import Dataset

SIDE = 160  # pixels; shown at half of it, so that it is sharp on fine screens, and enlarged
_QUALITY = 78


def thumbnail(dataset: Dataset, row: int) -> bytes | None:
    """JPEG of a row's picture, at most SIDE pixels on either side; None where the row has none.

    Raises
    ------
    OSError, ValueError
        Where the picture has gone or can no longer be decoded.
    """
    modal = dataset.modalities.get("image")
    position = -1 if modal is None else int(modal.index[row])
    if modal is None or position < 0:
        return None
    picture = decode(modal.samples[position].read())
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()
