"""How many requests a served bundle answers, how fast, and whether all answers are right.

    python -m benchmarks.serve MODEL ITEMS [--users 16] [--seconds 20]

MODEL is a bundle, ITEMS a table with the columns of its rows. `python -m pipeline.serve` runs as a
process of its own; in this one each user asks about item after item over a connection of its own,
as soon as the answer before is there. Both share the machine's cores. Every answer is compared with
that of the same bundle for all items together; it exits with 1 where one differs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import Columns
from pipeline.use.items.item import Item
from pipeline.use.items.reading import read_items
from pipeline.use.predicting import columns_of
from pipeline.use.predictions import predicted

BOUNDARY = "----modalgrid"
TOLERANCE = 1e-5  # of a probability: networks compute in single precision
MOST = 500  # items that are asked about, again and again


@dataclass
class Answers:
    """What the users were answered.

    Parameters
    ----------
    seconds : of each request.
    wrong : what was other than expected.
    largest : difference of a probability.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    largest: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print requests a second, their times, and wrong answers."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("items")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args(arguments)
    bundle = Bundle.load(options.model)
    items = list(read_items(options.items, columns_of(bundle, Columns())))[:MOST]
    expected = next(predicted(bundle, items, None))
    requests = [_body(item) for item in items]
    answers = Answers()
    server, port = _started(options.model)
    try:
        _load(port, requests, expected, answers, options)
        metrics = _asked(http.client.HTTPConnection("127.0.0.1", port), "GET", "/metrics")[1]
    finally:
        server.terminate()
        server.wait()
    _print(answers, options, metrics.decode())
    return 1 if answers.wrong else 0


def _body(item: Item) -> bytes:
    """A form with what the item has."""
    parts = []
    if item.text is not None:
        parts.append(b'name="text"\r\n\r\n' + item.text.encode())
    if item.picture is not None:
        parts.append(b'name="picture"; filename="picture"\r\n\r\n' + item.picture)
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def _started(model: Path) -> tuple[subprocess.Popen[str], int]:
    """The command, once it says that it answers, and its port."""
    command = [sys.executable, "-m", "pipeline.serve", str(model), "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if match := re.search(r":(\d+)/ answers", line):
            return server, int(match[1])
    raise SystemExit("the server did not start")


def _asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def _load(port, requests, expected, answers: Answers, options) -> None:
    numbers, end = count(), time.perf_counter() + options.seconds

    def use() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (begun := time.perf_counter()) < end:
            position = next(numbers) % len(requests)
            status, content = _asked(connection, "POST", "/predict", requests[position])
            answers.seconds.append(time.perf_counter() - begun)
            _compare(status, content, expected[position], answers)

    users = [threading.Thread(target=use) for _ in range(options.users)]
    for user in users:
        user.start()
    for user in users:
        user.join()


def _compare(status: int, content: bytes, row: dict, answers: Answers) -> None:
    if status != 200:
        answers.wrong.append(f"status {status}: {content[:200]!r}")
        return
    answer = json.loads(content)
    differences = [
        abs(share - row[f"p: {name}"]) for name, share in answer["probabilities"].items()
    ]
    largest = max(differences, default=0.0)
    answers.largest = max(answers.largest, largest)
    if answer["predicted"] != row["predicted"] or largest > TOLERANCE:
        answers.wrong.append(f"{answer['predicted']} is not {row['predicted']}, or {largest}")


def _print(answers: Answers, options: argparse.Namespace, metrics: str) -> None:
    half, most, all_but_one = 1000 * np.quantile(answers.seconds, [0.5, 0.95, 0.99])
    batches, items = (
        float(re.search(rf"^modalgrid_batch_items_{name} (\S+)$", metrics, re.M)[1])
        for name in ("count", "sum")
    )
    print(
        f"{options.users} users, {options.seconds:g} s: {len(answers.seconds)} requests, "
        f"{len(answers.seconds) / options.seconds:.0f} a second; p50 {half:.1f} ms, p95 "
        f"{most:.1f} ms, p99 {all_but_one:.1f} ms; {items / batches:.1f} items a batch; "
        f"{len(answers.wrong)} wrong answers, largest difference {answers.largest:.1e}"
    )
    for words in answers.wrong[:5]:
        print(words)


if __name__ == "__main__":
    sys.exit(main())
