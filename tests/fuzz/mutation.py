"""Sound content, harmed: bytes flipped, cut out, doubled, put elsewhere, or of another file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
# What readers take for more than its bytes.
SALT = (
    b"\x00", b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b'"', b"'", b"\n", b"\r", b"\t", b",",
    b"{", b"}", b"[", b"]", b": ", b"&a ", b"*a ", b"<<: *a", b"!!set ", b"nan", b"1e999", b"-1",
    b"9" * 30, b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u202e".encode(), b"../", b"\x1b[31m",
    b"PK\x03\x04",
)


def seeds(*endings: str) -> list[bytes]:
    """Content of the corpus, files with these endings."""
    return [path.read_bytes() for path in sorted(CORPUS.iterdir()) if path.suffix in endings]


@st.composite
def harmed(draw: st.DrawFn, sound: Sequence[bytes]) -> bytes:
    """One of the sound contents after some edits."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        part = bytes(content[start:end])
        kind = draw(st.sampled_from(("flip", "cut", "double", "move", "salt", "random", "other")))
        if kind == "flip" and start < len(content):
            content[start] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del content[start:end]
        elif kind == "double":
            content[start:start] = part * draw(st.integers(1, 50))
        elif kind == "move":
            del content[start:end]
            target = draw(st.integers(0, len(content)))
            content[target:target] = part
        elif kind == "salt":
            content[start:start] = draw(st.sampled_from(SALT))
        elif kind == "random":
            content[start:end] = draw(st.binary(max_size=20))
        else:
            content[start:] = draw(st.sampled_from(sound))[start:]
    return bytes(content)
