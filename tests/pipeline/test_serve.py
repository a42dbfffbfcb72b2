"""The command: what it needs, and what it says where it cannot serve."""

from __future__ import annotations

import socket

import pytest

from features.machine.extras import EXTRAS
from pipeline import serve
from pipeline.serve import main
from pipeline.use.bundle import Bundle
from pipeline.use.serving import server
from tests.support.installs import uninstall
from tests.support.served import MadeUp, asked


@pytest.fixture
def loaded(monkeypatch):
    """Whatever folder is named holds a bundle that is made up."""
    monkeypatch.setattr(Bundle, "load", lambda folder, runtime: MadeUp())


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["model", "--port", port])
    assert stop.value.code == 2
    assert f"a port is a number from 0 to 65535, not {port}" in capsys.readouterr().err


@pytest.fixture
def applications(monkeypatch):
    """The applications that were to be run, each with its answer to a request of the test's."""
    asked_about = []

    class Server:
        def __init__(self, app):
            self.app = app

        def run(self, sockets):
            asked_about.append((
                asked(self.app, "GET", "/card"),
                asked(self.app, "GET", "/health", headers={"host": "model.example"}),
                sockets[0].getsockname(),
            ))

    monkeypatch.setattr(server, "server_of", Server)
    return asked_about


def test_it_serves_this_machine_alone_unless_it_is_asked_for_more(
    loaded, applications, tmp_path, capsys
):
    (tmp_path / "README.md").write_text("# The card\n")
    assert main([str(tmp_path), "--port", "0"]) == 0
    (card, other, (host, port)), = applications
    assert (card.text, other.status_code, host) == ("# The card\n", 421, "127.0.0.1")
    said = capsys.readouterr().err
    assert f"http://127.0.0.1:{port}/ answers" in said
    assert "password" not in said
    options = ["--port", "0", "--host", "0.0.0.0", "--allow-host", "model.example"]
    assert main([str(tmp_path), *options]) == 0
    assert applications[1][1].status_code == 200
    said = capsys.readouterr().err
    assert "http://localhost:" in said
    assert "there is neither password nor TLS" in said


def test_a_port_that_is_taken_is_said(loaded, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main([str(tmp_path), "--port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in capsys.readouterr().err


def test_what_is_no_bundle_is_said(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "it has no bundle.json" in capsys.readouterr().err


def test_a_model_that_cannot_predict_is_said(monkeypatch, tmp_path, capsys):
    bundle = MadeUp()
    monkeypatch.setattr(bundle, "predict_items", lambda items: 1 / 0)
    monkeypatch.setattr(Bundle, "load", lambda folder, runtime: bundle)
    assert main([str(tmp_path), "--port", "0"]) == 2
    assert "the model cannot predict: division by zero" in capsys.readouterr().err


def test_ctrl_c_ends_it(loaded, applications, monkeypatch, tmp_path, capsys):
    class Interrupted:
        def __init__(self, app):
            pass

        def run(self, sockets):
            raise KeyboardInterrupt

    monkeypatch.setattr(server, "server_of", Interrupted)
    assert main([str(tmp_path), "--port", "0"]) == 0
    assert capsys.readouterr().err.endswith("ended\n")


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart"])
def test_packages_that_are_missing_are_said(monkeypatch, tmp_path, capsys, package):
    uninstall(monkeypatch, package)
    assert serve.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"serving needs {EXTRAS['serve'][package]}, which is not installed: "
        'pip install "modalgrid[serve]"\n'
    )
