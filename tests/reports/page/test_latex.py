"""Any name in the LaTeX table."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from reports.page import latex


@given(st.text())
def test_no_name_is_a_command_of_latex(text):
    line = latex.escaped(text)
    assert "\n" not in line
    plain = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_{}]|\$(\\pm|-|\\downarrow)\$", "", line)
    assert not set(plain) & set("\\&%$#_{}~^")
