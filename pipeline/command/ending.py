"""How a command ends: its exit code, and what it says where it cannot go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor

from pipeline.config.plugins.modules import PluginError
from pipeline.engine.stopping import GO_ON, STOPPED, at_work, say_stopped
from pipeline.engine.task import NoWorkers
from reports.wording import for_terminal

REFUSED = 2

Problems = tuple[type[Exception], ...]


def ended(work: Callable[[], int], problems: Problems) -> int:
    """The exit code of a command: what its work gives, or one that says why it has not ended well.

    Parameters
    ----------
    problems : what the work raises with words of its own for whoever typed the command.

    Returns
    -------
    2 for these, for files that cannot be read or written, for memory that does not suffice and for
    workers that are gone; 130 after Ctrl-C, as shells have it. Whatever else is raised is a fault
    of ours, and keeps its traceback.
    """
    try:
        with at_work():
            return work()
    except PluginError as error:
        text = str(error)
    except problems as error:
        text = str(error)
    except NoWorkers as error:
        text = f"stopped: {error}; {GO_ON}"
    except BrokenExecutor as error:
        text = (
            f"stopped: a worker process died, perhaps for want of memory; {GO_ON}, with fewer "
            f"--jobs ({error})"
        )
    except MemoryError as error:
        text = f"stopped: there is not enough memory ({error}); {GO_ON}"
    except OSError as error:
        text = f"stopped: {error}"
    except KeyboardInterrupt:
        say_stopped()
        return STOPPED
    print(for_terminal(text), file=sys.stderr)
    return REFUSED
