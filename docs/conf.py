"""How the pages are built: `pip install -e ".[demo,docs]" && sphinx-build -W docs site`."""

from __future__ import annotations

import os
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]
_setup = ConfigParser()
_setup.read(ROOT / "setup.cfg", encoding="utf-8")

project = "modalgrid"
author = "modalgrid developers"
version = release = _setup["metadata"]["version"]
extensions = ["myst_nb", "sphinx_copybutton", "component_directives", "local_paths"]
exclude_patterns = ["_ext"]

myst_heading_anchors = 3
# warnings of libraries name their files on the machine that builds; see local_paths
os.environ["PYTHONWARNINGS"] = "ignore"
# every cell is run anew, and one that fails ends the build
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds a cell; machines may be busy
nb_merge_streams = True

html_theme = "furo"
html_title = f"modalgrid {release}"
html_show_copyright = False
html_show_sourcelink = False
html_use_index = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = [("reach.js", {"defer": "defer"})]
# no page asks another machine for anything
html_theme_options = {"navigation_with_keys": True}
