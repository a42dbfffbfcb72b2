"""Pictures and texts as they are given in Python, brought to what encoders take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.block import Modality
from features.pictures.decoding import UnreadablePicture, check, encoded
from pipeline.data.frame import is_missing
from pipeline.data.reading.regular_files import read_regular
from pipeline.data.samples import NOUNS
from pipeline.use.fitted import Items
from pipeline.use.problem import ItemError
from reports.wording import count

# A path, an encoded file, a picture of Pillow, or uint8 (height, width) or (height, width, 3).
PictureLike: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
Pictures: TypeAlias = PictureLike | Iterable[PictureLike | None]
Texts: TypeAlias = str | Iterable[str | None]
SINGLE = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)


class GivenItems(NamedTuple):
    """Items of which some modality can be used.

    Parameters
    ----------
    items : of every modality that is asked for.
    single : whether they are the only item, given without a list around it.
    names : what to call the picture of each in a message: its path, or nothing.
    """

    items: Items
    single: bool
    names: tuple[str, ...]

    @contextmanager
    def naming_unreadable(self) -> Iterator[None]:
        """Where a picture turns out to be unreadable, all that are raise an ItemError.

        Decoding them beforehand would take as long as encoding.
        """
        try:
            yield
        except UnreadablePicture as error:
            problems = self.unreadable()
            if not problems:
                raise
            raise ItemError(problems) from error

    def unreadable(self) -> dict[int, str]:
        """Pictures that do not decode in full, with the reasons, by position."""
        problems = {}
        for at, content in enumerate(self.items.get("image", ())):
            try:
                if content is not None:
                    check(content)
            except UnreadablePicture as error:
                problems[at] = f"picture{self.names[at]}: {error}"
        return problems


def given_items(
    pictures: Pictures | None, texts: Texts | None, asked: Sequence[Modality]
) -> GivenItems:
    """The items that some pictures and texts are.

    Parameters
    ----------
    pictures, texts : a single one each, or as many of both; None for a modality that all lack.
    asked : modalities that are looked at; pictures are not read where they are not.

    Raises
    ------
    ItemError
        With the position and reason of every picture that cannot be had, and of every item that has
        nothing to predict by.
    ValueError
        Where there are not as many pictures as texts.
    TypeError
        Where a picture or text is of another type.
    """
    single = _is_single(pictures, texts)
    shown = _listed(pictures, single)
    said = _listed(texts, single)
    lengths = {len(values) for values in (shown, said) if values is not None}
    if len(lengths) != 1:
        raise ValueError(
            "give pictures, texts or both" if not lengths else
            f"{count(len(shown or ()), 'picture')} and {count(len(said or ()), 'text')}: give as "
            "many of both, with None for those that are missing"
        )
    missing: list[Any] = [None] * lengths.pop()
    problems: dict[int, str] = {}
    given: dict[Modality, list[Any]] = {"image": missing, "text": missing}
    if "image" in asked and shown is not None:
        given["image"] = [_read(at, value, problems) for at, value in enumerate(shown)]
    if said is not None:
        given["text"] = [_text(at, value) for at, value in enumerate(said)]
    for at in range(len(missing)) if asked else ():
        if at not in problems and all(given[modality][at] is None for modality in asked):
            problems[at] = f"has no {' or '.join(NOUNS[modality] for modality in asked)}"
    items: Items = {modality: given[modality] for modality in asked or ("image",)}
    chosen = GivenItems(items, single, tuple(map(_name, shown or missing)))
    if problems:
        raise ItemError(dict(sorted((chosen.unreadable() | problems).items())))
    return chosen


def picture_file(picture: object) -> bytes:
    """The encoded file of a picture; of one in memory a PNG file without loss.

    Raises
    ------
    OSError
        Where a path cannot be read.
    UnreadablePicture
        Where a picture in memory is none.
    TypeError
        Where it is nothing that stands for a picture.
    """
    if isinstance(picture, str | os.PathLike):
        return read_regular(Path(picture))
    return encoded(picture)


def _is_single(pictures: Pictures | None, texts: Texts | None) -> bool:
    given = [value for value in (pictures, texts) if value is not None]
    single = [isinstance(value, SINGLE) or _is_picture_array(value) for value in given]
    if any(single) and not all(single):
        raise ValueError("give a picture and a text, or a list of each")
    return any(single)


def _is_picture_array(value: object) -> bool:
    # of numbers of any kind: those that are no picture are said to be none, once
    return isinstance(value, np.ndarray) and value.dtype.kind in "uifb" and value.ndim in (2, 3)


def _listed(values: Any, single: bool) -> list[Any] | None:
    if values is None:
        return None
    return [values] if single else list(values)


def _read(at: int, picture: object, problems: dict[int, str]) -> bytes | None:
    """A picture's file; where it cannot be had, its problem is noted."""
    if is_missing(picture) or (isinstance(picture, str) and not picture.strip()):
        return None
    try:
        return picture_file(picture)
    except OSError as error:
        problems[at] = f"picture{_name(picture)}: {error.strerror or error}"
    except UnreadablePicture as error:
        problems[at] = f"picture: {error}"
    except TypeError as error:
        raise TypeError(f"item {at}: {error}") from None
    return None


def _name(picture: object) -> str:
    return f" {picture}" if isinstance(picture, str | os.PathLike) else ""


def _text(at: int, text: object) -> str | None:
    """A text without white space around it, as tables have it; None where nothing is left."""
    if is_missing(text):
        return None
    if not isinstance(text, str):
        raise TypeError(f"item {at}: a text is a str, not {type(text).__name__}")
    return text.strip() or None
