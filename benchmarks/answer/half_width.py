"""How the interval of the gain narrows with rows, on subsamples of a real data set.

    python -m benchmarks.answer.half_width GRID [--sizes 131 262 524 1047] [--draws 4]

Runs the grid on random parts of its table and prints, for each size, the mean half width of the
verdict's interval and its product with the square root of the rows: constant where the half width
goes by 1 / sqrt(n), which is what a report takes for granted when it says how many rows would
settle an answer.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from pipeline import run


def half_width(grid: Path, rows: int, seed: int, folder: Path) -> float:
    """Half width of the gain's interval on a draw of the rows."""
    yaml = YAML(typ="safe")
    content = yaml.load(grid)
    content["data"] |= {"sample": rows}
    content |= {"seed": seed, "name": f"half-width-{rows}-{seed}"}
    part = grid.parent / f".half-width-{rows}-{seed}.yaml"
    with part.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    options = ["--out", str(folder / part.stem), "--store", str(folder / "store")]
    try:
        code = run.main([str(part), *options])
    finally:
        part.unlink()
    if code != 0:
        raise SystemExit(f"{part.name} ended with {code}")
    gain = json.loads((folder / part.stem / "verdict.json").read_text(encoding="utf-8"))["gain"]
    return float(gain["high"] - gain["low"]) / 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grid", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[131, 262, 524, 1047])
    parser.add_argument("--draws", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("| rows | half width | half width x sqrt(rows) |\n|--:|--:|--:|")
        for rows in options.sizes:
            widths = [
                half_width(options.grid, rows, seed, Path(folder)) for seed in range(options.draws)
            ]
            mean = float(np.mean(widths))
            print(f"| {rows} | {mean:.4f} | {mean * rows**0.5:.3f} |", flush=True)


if __name__ == "__main__":
    main()
