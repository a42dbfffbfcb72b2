"""File systems of these tests alone, in a namespace of their own where the system grants one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PRIVATE = "MODALGRID_DAMAGE_MOUNTS"
# As a user who is not the system's, and so whom folders without permission keep out.
PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-sys_admin",
         "--inh-caps=-dac_override,-dac_read_search,-sys_admin")


def may_mount() -> bool:
    """Whether this process has a namespace to mount in."""
    return os.environ.get(PRIVATE) == "private"


def in_namespace(arguments: Sequence[str]) -> int | None:
    """The exit code of this command in a namespace of its own; None where it is in one, or where
    the system grants none: what needs to mount is then left out."""
    if PRIVATE in os.environ or not shutil.which("unshare"):
        return None
    options = ["-m"] if os.getuid() == 0 else ["-r", "-m"]
    enter = ["unshare", *options]
    mounting = [*enter, "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    granted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    environment = {**os.environ, PRIVATE: "private" if granted else "refused"}
    if not granted:
        os.environ.update(environment)
        return None
    command = [sys.executable, "-m", "tests.damage", *arguments]
    inside = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    with subprocess.Popen([*enter, "sh", "-c", inside, "sh", *command], env=environment) as process:
        with suppress(KeyboardInterrupt):  # it is told, too
            process.wait()
        return process.wait()


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Within, a folder is a disk of its own, of so many kilobytes."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "-l", str(folder))


def resize(folder: Path, kilobytes: int) -> None:
    """Give a small disk another size."""
    _run("mount", "-o", f"remount,size={kilobytes}k", str(folder))


@contextmanager
def read_only_disk(folder: Path) -> Iterator[None]:
    """Within, nothing can be written to a folder, as to a disk that was mounted so."""
    _run("mount", "--bind", str(folder), str(folder))
    _run("mount", "-o", "remount,ro,bind", str(folder))
    try:
        yield
    finally:
        _run("umount", "-l", str(folder))


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """Within, nobody but the system's user may write to a folder, nor to any below it."""
    folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
    modes = {path: path.stat().st_mode for path in folders}
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def as_plain_user(command: list[str]) -> list[str] | None:
    """A command that permissions keep out; None where that cannot be had."""
    if os.getuid() != 0:
        return command
    return [*PLAIN, *command] if shutil.which("setpriv") else None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
