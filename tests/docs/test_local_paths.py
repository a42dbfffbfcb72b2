"""Pages that are built name no folder of the machine that they were built on."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.paths import ROOT

sys.path.append(str(ROOT / "docs" / "_ext"))
from local_paths import LocalPath, check, here, paths_in

FOLDERS = [Path("/build/env"), Path("/build/env/lib"), Path("/tmp")]


@pytest.mark.parametrize(("text", "paths"), [
    ("/build/env/lib/python3/site-packages/tqdm/auto.py:21: TqdmWarning: no bars",
     ["/build/env/lib/python3/site-packages/tqdm/auto.py:21:"]),
    ("<pre>File &quot;/tmp/ipykernel_12/3.py&quot;</pre>", ["/tmp/ipykernel_12/3.py"]),
    ("see https://host/build/env/x and a/tmp/b, /build/environment, /tmp", []),
])
def test_paths_into_folders_of_the_machine_are_seen(text, paths):
    assert paths_in(text, FOLDERS) == paths


def test_a_site_that_names_one_is_refused(tmp_path):
    app = SimpleNamespace(outdir=str(tmp_path))
    (tmp_path / "index.html").write_text("<p>fine</p>")
    check(app, None)
    (tmp_path / "page.html").write_text(f"<pre>{ROOT}/pipeline/run.py:3: UserWarning</pre>")
    with pytest.raises(LocalPath, match=r"page\.html: .*run\.py:3:"):
        check(app, None)
    check(app, ValueError("the build failed for another reason"))


def test_the_source_and_python_are_of_this_machine():
    assert {ROOT, Path(sys.prefix)} <= here()
