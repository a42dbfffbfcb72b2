"""`python -m tests.support.logged_encoding GRID FOLDER`: a run that logs which samples it encodes.

Shards are small, so that there are some to interrupt.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import run
from pipeline.store.store import Store
from pipeline.tasks.encoding import shard

SIZE = 20  # samples of a shard


def main(grid: str, folder: Path) -> int:
    encoded = shard.ShardTask._encoded

    def logged(task: Any, keys: Any, samples: Sequence[Any], store: Store) -> Any:
        with (folder / "encoded.log").open("a") as log:
            log.writelines(f"{task.label} {digest}\n" for digest in task.digests)
        return encoded(task, keys, samples, store)

    shard.SAMPLES = shard.TEXTS = SIZE
    shard.ShardTask._encoded = logged
    paths = ["--out", str(folder / "out"), "--store", str(folder / "store")]
    return run.main([grid, *paths, "--jobs", "1"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
