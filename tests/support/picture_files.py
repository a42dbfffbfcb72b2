"""Pictures as encoded files."""

from __future__ import annotations

import io

from PIL import Image


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def photograph(width: int, height: int) -> bytes:
    from sklearn.datasets import load_sample_image

    return encoded(
        Image.fromarray(load_sample_image("flower.jpg")).resize((width, height)), "JPEG", quality=90
    )
