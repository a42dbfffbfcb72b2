"""The command that prints a report; what prints it has a test of its own."""

from __future__ import annotations

from pipeline.pdf import __main__ as pdf


def test_the_page_of_a_run_or_of_a_comparison_is_printed_beside_it(monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.setattr(pdf, "print_page", lambda *given: asked.append(given))
    (tmp_path / "compare.html").write_text("")
    assert pdf.main([str(tmp_path)]) == 0
    (tmp_path / "report.html").write_text("")
    other = tmp_path / "other.pdf"
    assert pdf.main([str(tmp_path), "--out", str(other), "--browser", "chrome"]) == 0
    assert asked == [
        (tmp_path / "compare.html", tmp_path / "compare.pdf", None),
        (tmp_path / "report.html", other, "chrome"),
    ]
    assert capsys.readouterr().out == f"pdf: {tmp_path / 'compare.pdf'}\npdf: {other}\n"


def test_a_folder_without_a_page_is_refused(tmp_path, capsys):
    assert pdf.main([str(tmp_path)]) == 2
    assert "holds no report.html or compare.html" in capsys.readouterr().err
