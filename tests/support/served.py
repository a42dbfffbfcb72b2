"""A bundle that is made up, to be served, and how tests ask the application."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
from PIL import Image

from features.pictures.decoding import decode
from pipeline.use.python.explanation import Explanation, PairAttention
from pipeline.use.serving.hosts import host_names

HOSTS = host_names("127.0.0.1", ["testserver"])


class MadeUp:
    """A bundle without a model: the longer a text, the less probable the first class.

    Fails on the text "fail", as a model might.
    """

    def __init__(self, modalities: tuple[str, ...] = ("image", "text"), **about: Any) -> None:
        self.about = {"run": "made up", "cell": "a cell", **about}
        self.classes = ("short", "long")
        self.cell = SimpleNamespace(modalities=modalities, models=())
        self.attention: PairAttention | None = None

    def predict_items(self, items: dict[str, list[Any]]) -> np.ndarray:
        for picture in filter(None, items.get("image", [])):
            decode(picture)
        texts = items.get("text") or [None] * len(items["image"])
        if "fail" in texts:
            raise RuntimeError("a secret of the model's")
        first = np.array([1 / (1 + len(text or "")) for text in texts])
        return np.stack([first, 1 - first], axis=1)

    def explain(self, picture: bytes | None, text: str | None) -> Explanation:
        (probabilities,) = self.predict_items({"image": [picture], "text": [text]})
        return Explanation(
            self.classes[int(probabilities.argmax())],
            float(probabilities.max()),
            {},
            {"picture": 0.0, "text": float(probabilities.max()) - 0.5},
            attention=self.attention,
        )


def asked(app: Any, method: str, path: str, **given: Any) -> httpx.Response:
    """The answer to a request."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **given)

    return asyncio.run(ask())


def png(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    """A picture file."""
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    """A body whose size nobody announces."""
    for _ in range(count):
        yield bytes(size)
