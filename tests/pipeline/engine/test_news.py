"""What workers tell of their tasks."""

from __future__ import annotations

import os
import threading

import pytest

from features.advance import advance
from pipeline.engine import news as module
from pipeline.engine.news import LONGEST, Channel, News, at_work, heard, read, teller


def test_a_task_tells_that_it_begins_and_how_far_it_is(monkeypatch):
    news: list[News] = []
    monkeypatch.setattr(module, "SELDOM", 0.0)
    advance(1, 2, "epochs")  # nobody listens
    with heard(news.append), at_work("key"):
        advance(1, 2, "epochs")
    advance(2, 2, "epochs")
    assert news == [News("key"), News("key", 1, 2, "epochs")]


def test_it_tells_so_seldom_that_telling_costs_nothing():
    news: list[News] = []
    with heard(news.append), at_work("key"):
        for number in range(10_000):
            advance(number, 10_000, "samples")
    assert len(news) < 100


def test_where_nobody_listens_nothing_is_told():
    with heard(None), at_work("key"):
        advance(1, 2, "epochs")


@pytest.mark.skipif(os.name != "posix", reason="workers tell nothing there")
def test_news_come_through_the_pipe_and_what_finds_it_full_is_lost():
    channel, arrived, come = Channel(), threading.Event(), []

    def hear(news: News) -> None:
        come.append(news)
        arrived.set()

    tell = teller(channel.worker_end)
    for number in range(5000):  # nobody hears yet; none of them waits
        tell(News("early", number, 5000, "samples"))
    channel.hear = hear
    while not arrived.wait(0.01):
        tell(News("key", 3, 7, "samples"))
    assert {news.key for news in come} <= {"early", "key"}
    tell(News("key", 3, 7, "x" * LONGEST))  # too long to be whole in one piece
    channel.close()
    tell(News("late"))  # nobody listens any more


@pytest.mark.parametrize("message", [b"", b"{}", b"[1]", b'["a","b","c","d"]', b"\xff", b"null"])
def test_what_is_no_news_is_none(message):
    assert read(message) is None


def test_without_a_pipe_nothing_is_told():
    assert teller(None) is None
