"""A page is shown by what is there; what is missing is said in a sentence."""

from __future__ import annotations

import argparse
import sys
import webbrowser

import pytest

from pipeline.command.browser import add_open, show


class Windowed(webbrowser.BaseBrowser):
    """A browser that remembers what it was asked to open."""

    def __init__(self, opens: bool = True) -> None:
        super().__init__()
        self.opens, self.asked = opens, []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.asked.append(url)
        return self.opens


def test_a_page_is_shown_in_the_browser_that_is_there(monkeypatch, tmp_path, capsys):
    there = Windowed()
    monkeypatch.setattr(webbrowser, "get", lambda: there)
    show(tmp_path / "report.html")
    assert there.asked == [(tmp_path / "report.html").as_uri()]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("there", ["none", "refuses", "terminal"])
def test_without_a_browser_there_is_one_sentence(there, monkeypatch, tmp_path, capsys):
    def none() -> webbrowser.BaseBrowser:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.delenv("BROWSER", raising=False)
    browsers = {
        "none": none,
        "refuses": lambda: Windowed(opens=False),
        # it would take the terminal: it is not even asked
        "terminal": lambda: webbrowser.GenericBrowser([sys.executable, "-c", "1 / 0"]),
    }
    monkeypatch.setattr(webbrowser, "get", browsers[there])
    page = tmp_path / "report.html"
    show(page)
    assert capsys.readouterr().out == (
        f"There is no browser to open {page} with; it is one file, to be opened anywhere.\n"
    )


def test_a_page_is_opened_only_when_that_is_asked_for():
    parser = argparse.ArgumentParser()
    add_open(parser)
    assert [parser.parse_args(given).open for given in ([], ["--open"])] == [False, True]
