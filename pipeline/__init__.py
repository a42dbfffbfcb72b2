"""The flow: grid -> config -> data -> folds -> features -> models -> scores -> report."""

import sys
from itertools import pairwise

# the first second of a command goes into imports, which a traceback shall not end
if sys.argv[:1] == ["-m"]:
    from pipeline.program.names import MODULES

    if any(first == "-m" and module in MODULES for first, module in pairwise(sys.orig_argv)):
        from pipeline.engine.stopping import listen

        listen()
