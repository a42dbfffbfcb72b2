"""`python -m pipeline.data.sources.emoji emoji-test.txt`: the table of Unicode's file."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.data.sources.emoji.listing import listed

if __name__ == "__main__":
    print("# Made of Unicode's emoji-test.txt; see UNICODE-LICENSE.txt and listing.py.")
    for line in listed(Path(sys.argv[1]).read_text("utf-8").splitlines()):
        print(line)
