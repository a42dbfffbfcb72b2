"""Pixels in flight are bounded, whatever the number of threads."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from features.pictures import decoding
from features.pictures.in_flight import PixelBudget


def test_pictures_wait_for_room_and_none_for_ever() -> None:
    budget, lock = PixelBudget(100), threading.Lock()
    now, most, side_by_side = [0], [0], [0, 0]
    pair = threading.Barrier(2, timeout=30)

    def decode(pixels: int) -> None:
        with budget.taken(pixels):
            with lock:
                now[0] += pixels
                side_by_side[0] += 1
                most[0] = max(most[0], now[0])
                side_by_side[1] = max(side_by_side)
            if pixels == 50:
                pair.wait()  # passes only where two are let in together
            with lock:
                now[0] -= pixels
                side_by_side[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [50] * 6 + [30, 60, 99] * 10))
    assert most[0] <= 100
    assert side_by_side[1] >= 2


def test_a_picture_beyond_the_limit_is_decoded_alone() -> None:
    budget = PixelBudget(10)
    with ThreadPoolExecutor(4) as pool:

        def decode(pixels: int) -> int:
            with budget.taken(pixels):
                assert budget._pixels == pixels
                return pixels

        assert list(pool.map(decode, [1000] * 20)) == [1000] * 20


def test_an_error_gives_its_pixels_back() -> None:
    budget = PixelBudget(10)
    with pytest.raises(KeyError), budget.taken(10):
        raise KeyError
    with budget.taken(10):
        assert budget._pixels == 10


def test_every_decoded_picture_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    class Counting(PixelBudget):
        def taken(self, pixels: int):  # type: ignore[no-untyped-def]
            counted.append(pixels)
            return super().taken(pixels)

    monkeypatch.setattr(decoding, "PIXELS", Counting(10))
    for kind in ("PNG", "JPEG"):
        file = io.BytesIO()
        Image.new("RGB", (64, 32)).save(file, kind)
        assert decoding.decode(file.getvalue()).size == (64, 32)
        decoding.decode(file.getvalue(), side=4)
    # a JPEG file that is decoded smaller counts as what is decoded of it
    assert counted == [64 * 32, 64 * 32, 64 * 32, 16 * 8]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


def test_what_would_start_a_program_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        pytest.fail("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr("os.system", started)
    with pytest.raises(decoding.UnreadablePicture, match="not a picture in a known format"):
        decoding.decode(EPS)


@pytest.mark.parametrize("kind", ["MSP", "SPIDER", "XBM", "ICNS", "DDS", "PALM", "PDF"])
def test_rare_formats_are_no_pictures(kind: str) -> None:
    file = io.BytesIO()
    mode = {"MSP": "1", "XBM": "1", "SPIDER": "F", "PALM": "P"}.get(kind, "RGB")
    Image.new(mode, (32, 32)).save(file, kind)
    with pytest.raises(decoding.UnreadablePicture, match="not a picture in a known format"):
        decoding.decode(file.getvalue())


@pytest.mark.parametrize("kind", decoding._formats())
def test_listed_formats_are_decoded(kind: str) -> None:
    if kind not in Image.SAVE:
        pytest.skip("Pillow does not write it")
    file = io.BytesIO()
    frames = {"save_all": True} if kind == "MPO" else {}
    Image.new("RGB", (16, 16), "red").save(file, kind, **frames)
    assert decoding.decode(file.getvalue()).size == (16, 16)
