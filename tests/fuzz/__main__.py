"""`python -m tests.fuzz --seconds N [--only NAME]`: feed readers until the time is up."""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import Target, targets

ROUND = 200  # inputs of a reader before the next one has its turn
SLOWEST = 5.0  # seconds of the processor for an input: others may keep it busy


class Fuzzer:
    """Feeds one reader, and keeps what it neither reads nor refuses.

    Parameters
    ----------
    folder : where inputs that it fails at are kept; `last` is the one at hand, should it crash.
    """

    def __init__(self, name: str, target: Target, folder: Path) -> None:
        self._name, self._target, self._folder = name, target, folder
        self.outcomes: Counter[str] = Counter()
        self.faults: dict[str, Path] = {}

    def round(self, number: int, inputs: int = ROUND) -> None:
        """Feed it some inputs, which follow from the number."""
        chosen = settings(
            max_examples=inputs, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(number)(chosen(given(self._target.inputs)(self._try)))()

    def _try(self, content: bytes) -> None:
        (self._folder / "last").write_bytes(content)
        begun = time.process_time()
        with tempfile.TemporaryDirectory(dir=self._folder) as empty:
            try:
                self._target.read(content, Path(empty))
                outcome = "read"
            except self._target.answers:
                outcome = "refused"
            except Exception as error:
                outcome = "fault"
                last = traceback.extract_tb(error.__traceback__)[-1]
                self._keep(f"{type(error).__name__} at {last.filename}:{last.lineno}", content)
        if time.process_time() - begun > SLOWEST:
            self._keep(f"slow: {time.process_time() - begun:.0f} s", content)
        self.outcomes[outcome] += 1

    def _keep(self, fault: str, content: bytes) -> None:
        if fault not in self.faults:  # the first of its kind
            path = self._folder / f"{self._name.replace(' ', '_')}-{len(self.faults)}"
            path.write_bytes(content)
            self.faults[fault] = path


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where a reader failed otherwise than by a clear error."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", help="a part of the readers' names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=ROUND, help="of a reader in each round")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="modalgrid-fuzz-"))
    fuzzers = {
        name: Fuzzer(name, target, folder)
        for name, target in targets().items()
        if (options.only or "") in name
    }
    try:
        _feed(list(fuzzers.values()), options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    for name, fuzzer in fuzzers.items():
        print(f"{name}: {dict(sorted(fuzzer.outcomes.items()))}")
        for fault, path in fuzzer.faults.items():
            print(f"  {fault}: {path}")
    has_faults = any(fuzzer.faults for fuzzer in fuzzers.values())
    if not has_faults:  # else their inputs are in it
        shutil.rmtree(folder)
    return 1 if has_faults else 0


def _feed(fuzzers: Sequence[Fuzzer], options: argparse.Namespace) -> None:
    """Round after round until the time is up."""
    end, number = time.monotonic() + options.seconds, options.seed
    while time.monotonic() < end:
        for fuzzer in fuzzers:
            fuzzer.round(number, options.inputs)
            if time.monotonic() > end:
                break
        number += 1


def interruptible() -> None:
    """SIGTERM ends as Ctrl-C does: what is temporary goes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    interruptible()
    faulthandler.enable()  # a reader that crashes says where
    sys.exit(main())
