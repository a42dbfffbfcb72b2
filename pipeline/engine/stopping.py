"""A run that is told to stop does so within two seconds, says it, and leaves nothing behind.

What is finished is in the store, which takes no harm from a process that ends at any moment: where
tidying up takes longer than that, it is left out.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

GO_ON = "what is finished is kept: run the same command to go on"
STOPPED = 130  # exit code
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 1.5  # seconds in which a run that was told to stop may tidy up
LOOKS = 0.5  # seconds between two looks of a worker at whether its run is still there
SHARED_MEMORY = Path("/dev/shm")  # where Linux has it
# What is left there when a process and all that watch it are killed, with its number: by loky and
# joblib, and by dask's workers.
LEFTOVER = re.compile(
    r"(?:sem\.loky-|loky-|joblib_memmapping_folder_|sem\.modalgrid-|modalgrid-dask-)(\d+)[-_].*"
)


class _Stop:
    """Whether this process is to stop, and what has been said of it."""

    def __init__(self) -> None:
        self.is_at_work = False  # else there is nothing to tidy up
        self._is_told, self._is_said = False, threading.Lock()

    def listen(self) -> None:
        """Take the signals from now on, also while the main thread computes in a library."""
        listener, self._teller = socket.socketpair()
        self._teller.setblocking(False)
        atexit.register(end_by_exit_code)
        signal.set_wakeup_fd(self._teller.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._take)
        threading.Thread(target=self._end_in_time, args=(listener,), daemon=True).start()

    def hand_over(self) -> None:
        """Leave the signals to whoever wants them next."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self.is_at_work:
            self.end()
        if not self._is_told:  # told twice, it stops once
            self._is_told = True
            raise KeyboardInterrupt

    def _end_in_time(self, listener: socket.socket) -> None:
        while not set(listener.recv(1)) & set(map(int, SIGNALS)):
            continue
        time.sleep(PATIENCE)
        self.end()

    def say(self, write: Callable[[str], object]) -> None:
        """Say that the run was stopped, once."""
        if self._is_said.acquire(blocking=False):
            write(f"\nstopped; {GO_ON}\n")

    def end(self) -> None:
        """End this process now; its workers end by themselves."""
        # not by sys.stderr, in the middle of whose work a signal may come
        with suppress(OSError):  # whoever reads what it says may have gone
            self.say(lambda text: os.write(2, text.encode()))
        os._exit(STOPPED)


_stop = _Stop()


def end_by_exit_code() -> None:
    """From now on this process, which is about to end, ends by its exit code and by no signal.

    Python gives signals back to the system before it has ended, and kills itself by SIGINT where
    the last text that it ever compiled and executed was interrupted, whoever caught that: the
    methods of dataclasses are made of such texts.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    exec("")


def listen() -> None:
    """Take Ctrl-C and SIGTERM from now on. Until `stoppable` works, they end the process."""
    if threading.current_thread() is threading.main_thread():
        _stop.listen()


def say_stopped() -> None:
    """Say that the run was stopped."""
    atexit.register(end_by_exit_code)  # also of commands that do not listen
    _stop.say(sys.stderr.write)
    sys.stderr.flush()


def hand_over() -> None:
    """Leave Ctrl-C and SIGTERM to what comes: a server has a way to end of its own."""
    if threading.current_thread() is threading.main_thread():
        _stop.hand_over()


@contextmanager
def at_work() -> Iterator[None]:
    """Work that tidies up where it is told to stop: it gets a KeyboardInterrupt."""
    before, _stop.is_at_work = _stop.is_at_work, True
    try:
        yield
    finally:
        _stop.is_at_work = before


def stoppable(main: Callable[[], int]) -> int:
    """The exit code of a command that Ctrl-C and SIGTERM may stop."""
    with at_work():
        try:
            return main()
        except KeyboardInterrupt:
            say_stopped()
            return STOPPED


# Workers


@contextmanager
def shielding_children() -> Iterator[None]:
    """Processes that are started within it take no Ctrl-C, from their very first moment on.

    It reaches all processes of a terminal, and those that are still importing would each show where
    they were. A signal that comes meanwhile is taken behind it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker(run: int) -> None:
    """In a worker process of a run of that number: the run alone ends it, or its own end does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal
    threading.Thread(target=_end_with, args=(run,), daemon=True).start()


def _end_with(run: int) -> None:
    while _is_there(run):
        time.sleep(LOOKS)
    os._exit(1)


def _is_there(run: int) -> bool:
    """Whether the run that started this process is still there."""
    if os.name == "posix":
        return os.getppid() == run
    import psutil

    return bool(psutil.pid_exists(run))


# What dead runs left


def name_semaphores() -> None:
    """Name those of multiprocessing, from now on, so that it is told whose they were.

    Those of processes that it starts are called so, too.
    """
    import multiprocessing  # a worker of ours needs none

    settings = vars(multiprocessing.current_process())["_config"]
    settings["semprefix"] = f"/modalgrid-{os.getpid()}"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for temporary files of dask's workers, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"modalgrid-dask-{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(*folders: Path) -> list[str]:
    """Remove shared memory and semaphores of this user's processes that are dead; their names.

    Parameters
    ----------
    folders : where they may lie; by default shared memory and the folder for temporary files.
    """
    removed = []
    for folder in folders or (SHARED_MEMORY, Path(tempfile.gettempdir())):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in list(filter(_is_left, entries)):
                _remove(Path(entry.path))
                removed.append(entry.name)
    return removed


def _is_left(entry: os.DirEntry[str]) -> bool:
    """Whether a dead process of this user made it."""
    named = LEFTOVER.fullmatch(entry.name)
    if named is None or not _is_ours(entry):
        return False
    import psutil  # most runs find nothing

    return not psutil.pid_exists(int(named[1]))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return os.name != "posix" or entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
