"""Drawn scenes of shapes to be counted, which only picture and question together tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field

from pipeline.data.samples import Picture, Samples, SourceError
from pipeline.data.sources.cifar10 import PixelPicture

COLOURS = {
    "red": (205, 45, 45),
    "green": (45, 150, 60),
    "blue": (50, 80, 205),
    "yellow": (225, 180, 30),
}
FORMS = ("circle", "square", "triangle", "cross")
COUNTS = len(COLOURS)  # 0 to 3: one for each colour, and one for each form
CELLS = 4  # a scene is a board of 4 x 4 cells, a shape in a cell
TESTED = 5  # one scene in so many is a test scene
KINDS = ("colour", "form")
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Scenes of six shapes; text is a question such as "how many red shapes are there?".

    Each scene is asked for the number of shapes of each colour (red, green, blue, yellow), and of
    each form (circles, squares, triangles, crosses). The numbers 0, 1, 2 and 3 are dealt out to the
    four colours at random, and so to the four forms, and four scenes in a row deal them in turn:

    - in each scene every answer is right for one colour and one form: who sees the picture alone is
      right on one question in four;
    - over four scenes, every question has each answer once: who reads the question alone is, too.

    The official split tests one in five of these foursomes, so that in both of its parts either
    modality alone is right on a quarter of the rows exactly, whatever it learned; with both, every
    answer can be told. Scores are broken down by `kind`: colour or form. Group `scene` keeps the
    questions about a scene in one fold.

    Parameters
    ----------
    scenes : how many, a multiple of 4.
    ask : "colour" or "form" for four questions about a scene, "both" for eight.
    size : side of the pictures in pixels, a multiple of 4.
    scene_seed : seed of the scenes.
    """

    scenes: Annotated[int, Field(ge=2 * COUNTS)] = 2000
    ask: Literal["colour", "form", "both"] = "both"
    size: Annotated[int, Field(ge=32)] = 32
    scene_seed: Annotated[int, Field(ge=0)] = 0

    def load(self, folder: Path) -> Samples:
        """Draw the scenes; see pipeline.data.samples.Source. No file counts from `folder`.

        Raises
        ------
        SourceError
            Where the number of scenes or the size is no multiple of 4.
        """
        self._check()
        random = np.random.default_rng(self.scene_seed)
        kinds = KINDS if self.ask == "both" else (self.ask,)
        asked = list(product(kinds, range(COUNTS)))
        scenes = list(self._scenes(random))
        rows = [
            (number, *question) for number, question in product(range(len(scenes)), asked)
        ]
        foursomes = self.scenes // COUNTS
        tested = set(random.permutation(foursomes)[: max(1, foursomes // TESTED)].tolist())
        names = [f"scene {number} {kind} {value + 1}" for number, kind, value in rows]
        return Samples(
            locations=names,
            pictures=[scenes[number][0] for number, _, _ in rows],
            texts=[question_of(kind, value) for _, kind, value in rows],
            labels=[str(scenes[number][1][kind][value]) for number, kind, value in rows],
            ids=names,
            groups={"scene": [str(number) for number, _, _ in rows]},
            group="scene",
            split=["test" if number // COUNTS in tested else "train" for number, _, _ in rows],
            breakdown={"kind": [kind for _, kind, _ in rows]},
            recurring=frozenset({"text"}),
        )

    def _check(self) -> None:
        problems = [
            f"{key}: {value} is no multiple of {factor}; the nearest is "
            f"{factor * round(value / factor)}"
            for key, value, factor in (
                ("scenes", self.scenes, COUNTS), ("size", self.size, CELLS)
            )
            if value % factor
        ]
        if problems:
            raise SourceError(problems)

    def _scenes(self, random: np.random.Generator) -> Iterator[tuple[Picture, dict[str, Counts]]]:
        """Each scene with how many shapes there are of each colour and of each form."""
        for number in range(self.scenes):
            turn = number % COUNTS
            if turn == 0:
                first = {kind: random.permutation(COUNTS) for kind in KINDS}
            counts = {kind: (dealt + turn) % COUNTS for kind, dealt in first.items()}
            pixels = self._drawn(counts, random)
            yield PixelPicture(f"scene {number}", pixels.transpose(2, 0, 1)), counts

    def _drawn(
        self, counts: dict[str, Counts], random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """A picture (size, size, 3): shapes in cells of their own, their colours and forms paired.

        Cells, pairs and shades are drawn at random.
        """
        colours, forms = (
            random.permutation(np.repeat(np.arange(COUNTS), counts[kind])) for kind in KINDS
        )
        cells = random.permutation(CELLS * CELLS)[: len(forms)]
        image = Image.new("RGB", (self.size, self.size), (240, 240, 240))
        draw, side = ImageDraw.Draw(image), self.size // CELLS
        for colour, form, cell in zip(colours, forms, cells, strict=True):
            row, column = divmod(int(cell), CELLS)
            shade = random.integers(-25, 26, 3) + list(COLOURS.values())[colour]
            fill = tuple(np.clip(shade, 0, 255).tolist())
            _draw(draw, FORMS[form], (column * side + 1, row * side + 1, side - 3), fill)
        return np.asarray(image, dtype=np.uint8)


def question_of(kind: str, value: int) -> str:
    """The question for the number of shapes of a colour, or of a form."""
    things = f"{list(COLOURS)[value]} shapes" if kind == "colour" else _plural(FORMS[value])
    return f"how many {things} are there?"


def _plural(form: str) -> str:
    return f"{form}es" if form.endswith("s") else f"{form}s"


def _draw(
    draw: ImageDraw.ImageDraw, form: str, where: Sequence[int], fill: tuple[int, ...]
) -> None:
    """A shape of `where`: left, top and the side of the square that it fills."""
    left, top, side = where
    right, bottom, middle, arm = left + side, top + side, side // 2, round(0.4 * side)
    if form == "circle":
        draw.ellipse((left, top, right, bottom), fill=fill)
    elif form == "square":
        draw.rectangle((left, top, right, bottom), fill=fill)
    elif form == "triangle":
        draw.polygon(((left + middle, top), (left, bottom), (right, bottom)), fill=fill)
    else:
        draw.rectangle((left + arm, top, right - arm, bottom), fill=fill)
        draw.rectangle((left, top + arm, right, bottom - arm), fill=fill)
