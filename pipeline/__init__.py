"""The flow: grid -> config -> data -> folds -> features -> models -> scores -> report."""

import sys
from itertools import pairwise

# the first second of a run goes into imports, which a traceback shall not end
if sys.argv[:1] == ["-m"] and ("-m", "pipeline.run") in pairwise(sys.orig_argv):
    from pipeline.engine.stopping import listen

    listen()
