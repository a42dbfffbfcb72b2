"""easy-VQA: questions about pictures of one shape each, from a pip package."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from pipeline.data.samples import FilePicture, Samples, SourceError
from pipeline.data.sources.problems import check_installed

SHAPES = ("circle", "rectangle", "triangle")
PARTS = ("train", "test")


class _Question(NamedTuple):
    part: str
    picture: int
    number: int  # among those of its picture, from 1
    text: str
    answer: str

    @property
    def name(self) -> str:
        """Unique: the part, the picture and the number of the question."""
        return f"{self.part} picture {self.picture} question {self.number}"


@dataclass(frozen=True, kw_only=True)
class EasyVqa:
    """easy-VQA (MIT licence; by Victor Zhou): text is the question, label its answer.

    A picture of 64 x 64 pixels shows one circle, rectangle or triangle in one of eight colours; its
    questions ask for the shape, for the colour, or whether one is there ("is there not a red
    shape?"). The package easy-vqa has 4,000 pictures with 38,575 questions to learn from and 1,000
    with 9,673 to be tested on, the official split; 13 answers. Group `picture` keeps the questions
    about a picture in one fold. Scores are broken down by `kind`: what shape, what colour, yes or
    no about a shape, yes or no about a colour.

    Parameters
    ----------
    pictures : how many pictures to take, with all questions about them: at random (from
        `sample_seed`), as many of each part as its share says. By default all.
    sample_seed : seed of that choice.
    """

    requires: ClassVar[tuple[str, ...]] = ("easy_vqa",)

    pictures: Annotated[int, Field(ge=10)] | None = None
    sample_seed: Annotated[int, Field(ge=0)] = 0

    def load(self, folder: Path) -> Samples:
        """List the questions; see pipeline.data.samples.Source. No file counts from `folder`.

        Raises
        ------
        SourceError
            Where the package is missing, or has fewer pictures than asked for.
        """
        check_installed("easy_vqa", self.requires)
        held = Path(str(files("easy_vqa"))) / "data"
        questions = self._chosen(
            list(chain.from_iterable(_questions(held / part, part) for part in PARTS))
        )
        return Samples(
            locations=[question.name for question in questions],
            pictures=[
                FilePicture(held / question.part / "images" / f"{question.picture}.png")
                for question in questions
            ],
            texts=[question.text for question in questions],
            labels=[question.answer for question in questions],
            ids=[question.name for question in questions],
            groups={
                "picture": [f"{question.part} {question.picture}" for question in questions]
            },
            group="picture",
            split=[question.part for question in questions],
            breakdown={"kind": [kind_of(question.text) for question in questions]},
            recurring=frozenset({"text"}),
        )

    def _chosen(self, questions: list[_Question]) -> list[_Question]:
        """Those about the pictures that are taken."""
        if self.pictures is None:
            return questions
        random = np.random.default_rng(self.sample_seed)
        numbers = {
            part: np.unique([asked.picture for asked in questions if asked.part == part])
            for part in PARTS
        }
        total = sum(map(len, numbers.values()))
        if self.pictures > total:
            raise SourceError(
                [f"pictures: {self.pictures} is more than the {total} pictures there are"]
            )
        tested = round(self.pictures * len(numbers["test"]) / total)
        taken: set[tuple[str, int]] = set()
        for part, count in (("train", self.pictures - tested), ("test", tested)):
            drawn = random.choice(numbers[part], count, replace=False)
            taken |= {(part, int(picture)) for picture in drawn}
        return [asked for asked in questions if (asked.part, asked.picture) in taken]


def kind_of(question: str) -> str:
    """What a question of easy-VQA asks for."""
    words = re.findall(r"\w+", question)
    if words[:2] == ["what", "shape"] or (words[0] == "what" and words[-1] == "shape"
                                          and "color" not in words):
        return "what shape"
    if words[0] == "what":
        return "what colour"
    about = "shape" if set(words) & set(SHAPES) else "colour"
    return f"yes or no: {about}"


def _questions(folder: Path, part: str) -> Iterator[_Question]:
    """The questions of a part, in their order."""
    asked: dict[int, int] = {}
    for text, answer, picture in json.loads((folder / "questions.json").read_text("utf-8")):
        asked[picture] = asked.get(picture, 0) + 1
        yield _Question(part, picture, asked[picture], text, answer)

