"""Pictures are decoded once, each by itself: more pictures are checked alone."""

from __future__ import annotations

import pytest

from pipeline.data import picture_check
from pipeline.data.picture_check import check_pictures
from pipeline.data.samples import BytesPicture, FilePicture
from tests.support.samples import png


@pytest.fixture
def decoded(monkeypatch):
    """The pictures that were decoded."""
    content, check = [], picture_check.decoding.check

    def counted(data):
        content.append(data)
        return check(data)

    monkeypatch.setattr(picture_check.decoding, "check", counted)
    return content


def pictures_of(*contents):
    pictures = [BytesPicture(f"row {row}", data) for row, data in enumerate(contents)]
    return {picture.digest(): picture for picture in pictures}


def test_each_picture_is_checked_once_whatever_comes_with_it(store, decoded):
    first = pictures_of(png(1), png(2, size=30))
    sizes, errors = check_pictures(first, store)
    assert errors == {}
    assert [sizes[digest] for digest in first] == [(24, 24), (30, 30)]
    assert len(decoded) == 2
    more = {**pictures_of(png(3, size=12)), **first}
    sizes, _ = check_pictures(more, store)
    assert [sizes[digest] for digest in more] == [(12, 12), (24, 24), (30, 30)]
    assert decoded[2:] == [png(3, size=12)]
    assert check_pictures(first, store)[0] == {digest: sizes[digest] for digest in first}
    assert len(decoded) == 3


def test_what_was_unreadable_is_tried_again_each_time(store, decoded):
    """It is not kept: another release of the decoder may read it."""
    pictures = pictures_of(png(1), b"no picture", png(2)[:-40])
    broken = list(pictures)[1:]
    for _ in range(2):
        sizes, errors = check_pictures(pictures, store)
        assert list(sizes) == list(pictures)[:1]
        assert sorted(errors) == sorted(broken)
    assert sorted(decoded) == sorted([png(1), *2 * [b"no picture", png(2)[:-40]]])


def test_a_picture_that_is_rewritten_during_its_check_is_never_kept(store, monkeypatch, tmp_path):
    file, whole, other = tmp_path / "a.png", png(1), png(2, size=30)
    check, written = picture_check.decoding.check, [other, whole[:-40], None]

    def rewritten(data):
        content = written.pop(0)
        file.unlink() if content is None else file.write_bytes(content)
        return check(data)

    file.write_bytes(whole)
    pictures = {FilePicture(file).digest(): FilePicture(file)}
    monkeypatch.setattr(picture_check.decoding, "check", rewritten)
    for reason in ("changed while it was checked", "changed while", "No such file"):
        sizes, errors = check_pictures(pictures, store)
        assert sizes == {}
        assert all(said.startswith(reason) for said in errors.values())
        assert len(errors) == 1
    monkeypatch.setattr(picture_check.decoding, "check", check)
    file.write_bytes(whole)
    assert check_pictures(pictures, store) == ({FilePicture(file).digest(): (24, 24)}, {})


def test_no_pictures_at_all_and_none_readable(store):
    assert check_pictures({}, store) == ({}, {})
    sizes, errors = check_pictures(pictures_of(b"no picture"), store)
    assert (sizes, len(errors)) == ({}, 1)


def test_many_are_kept_part_by_part(store, decoded, monkeypatch):
    """So that a check that was interrupted goes on where it was."""
    monkeypatch.setattr(picture_check, "AT_ONCE", 2)
    pictures = pictures_of(*(png(number) for number in range(5)))
    put, parts = picture_check.Shards.put, []

    def interrupted(self, digests, *rest):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(digests)
        return put(self, digests, *rest)

    monkeypatch.setattr(picture_check.Shards, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_pictures(pictures, store)
    monkeypatch.setattr(picture_check.Shards, "put", put)
    decoded.clear()
    assert len(check_pictures(pictures, store)[0]) == 5
    assert len(decoded) == 1
