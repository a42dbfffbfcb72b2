"""What a shell completes: commands, options and choices, from a file that starts no Python."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pipeline import __main__ as modalgrid
from pipeline.command.completion import completion
from pipeline.program.names import COMMANDS
from tests.support.installs import uninstall

BASH = shutil.which("bash")
ASK = """
source "$1"
ask=$(complete -p modalgrid | sed 's/.*-F \\([^ ]*\\).*/\\1/')
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"$ask"
echo "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_file(tmp_path_factory):
    pytest.importorskip("shtab")
    path = tmp_path_factory.mktemp("completion") / "modalgrid"
    path.write_text(completion("bash"))
    return path


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["modalgrid", "se"], {"serve", "search"}),
        (["modalgrid", "run", "--time"], {"--time-limit"}),
        (["modalgrid", "store", "ver"], {"verify"}),
        (["modalgrid", "search", "--by", ""], {"picture", "text", "both"}),
    ],
)
def test_bash_completes(bash_file, words, expected):
    done = subprocess.run([str(BASH), "-c", ASK, "bash", bash_file, *words], capture_output=True,
                          text=True, check=True)
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_command_is_in_the_file(shell, capsys):
    pytest.importorskip("shtab")
    assert modalgrid.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in text] == []
    assert "time-limit" in text


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch, capsys):
    uninstall(monkeypatch, "shtab")
    assert modalgrid.main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        'completion needs shtab, which is not installed: pip install "modalgrid[completion]"\n'
    )
