"""Tables of a document come from the reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from echo_keypoints.errors import ResultError
from echo_keypoints.evaluation.reproduce.document import fill_document, main
from echo_keypoints.evaluation.reproduce.report import Column, Line, Report, write_report
from echo_keypoints.evaluation.statistics import Estimate

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = """before
<!-- table: x d heart+failure -->
old
<!-- /table -->
between
<!-- table: absent d -->
stays
<!-- /table -->
after
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nan = float("nan")
    values = {"d": Estimate(50, 40, 60, 9), "heart failure": Estimate(1, nan, nan, 1)}
    columns = [Column("d", "δ %", higher=True), Column("heart failure", "AUROC"), Column("m", "MAE")]
    write_report(Report("x", "Table X", columns, [Line("a", values)]), tmp_path)
    (tmp_path / "doc.md").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def test_tables_are_written_between_their_comments(folder: Path) -> None:
    document = folder / "doc.md"
    assert fill_document(document, folder) == ["x"]
    text = document.read_text(encoding="utf-8")
    table = "*Table X*\n\n|  | δ % | AUROC |\n|---|---|---|\n| a | 50.00 [40.00, 60.00] | 1.00 |\n"
    assert text == DOCUMENT.replace("old\n", table)
    fill_document(document, folder)
    assert document.read_text(encoding="utf-8") == text


def test_what_a_report_does_not_have_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = folder / "doc.md"
    document.write_text("<!-- table: x nothing -->\n<!-- /table -->", encoding="utf-8")
    with pytest.raises(ResultError, match="x has no nothing"):
        fill_document(document, folder)
    assert main([str(document), str(folder)]) == 2 and "nothing" in capsys.readouterr().err
    (folder / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultError, match=r"x\.json is not a report"):
        fill_document(document, folder)
    with pytest.raises(ResultError, match=r"no\.md cannot be read"):
        fill_document(folder / "no.md", folder)


def test_the_documentation_shows_its_own_reports(tmp_path: Path) -> None:
    text = (DOCS / "reproduction.md").read_text(encoding="utf-8")
    copy = tmp_path / "reproduction.md"
    copy.write_text(text, encoding="utf-8")
    written = fill_document(copy, DOCS / "reproduction")
    assert len(written) >= 6 and copy.read_text(encoding="utf-8") == text
