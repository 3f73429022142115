import re
from dataclasses import replace

import numpy as np
import pytest

from echo_keypoints.writers.report import read_report
from echo_keypoints.writers.report.content import NOTICE
from example_results import make_clip, make_header, make_result

pypdf = pytest.importorskip("pypdf")


def read(report, path):
    report.write_pdf(path)
    return pypdf.PdfReader(path)


def words(page):
    return re.sub(r"\s+", " ", page.extract_text())


def test_it_says_all_that_matters(report, measured, tmp_path):
    document = read(report, tmp_path / "report.pdf")
    text = " ".join(map(words, document.pages))
    assert 3 <= len(document.pages) <= 5
    for number, page in enumerate(document.pages, 1):
        assert NOTICE[:60] in words(page) and f"{number} / {len(document.pages)}" in words(page)
    index = measured.measurements["indices"]["LVIDd"]
    for expected in (
        f"{index['value']:.1f} mm",
        "ASE/EACVI 2015 42.0–58.4",
        "0.3876 mm per pixel",
        "a" * 64,
        "The clip ends before the next end-diastole",
        "aortic valve closes later",
        "End-systole, beat",
    ):
        assert expected in text, expected
    assert document.metadata.title == "plax_phantom.dcm – EchoKeypoints report"
    assert len(document.pages[0].images) == 2  # the stills


def test_mark_up_and_foreign_signs_are_text(measured, phantom, tmp_path):
    header = replace(phantom.header, source="<b>心臓</b> & <font size=90>.dcm")
    report = read_report(replace(measured, clip=header, warnings=("≥ 50 → “ok”",)), phantom.as_source())
    text = words(read(report, tmp_path / "report.pdf").pages[0])
    assert "<b>??</b> & <font size=90>.dcm" in text and "50" in text and "“ok”" in text


def test_long_texts_and_many_beats_flow_over_pages(measured, phantom, tmp_path):
    beats = tuple(dict(measured.beats[0], index=index, warnings=["far " * 60]) for index in range(60))
    result = replace(measured, beats=beats, warnings=("x" * 3000, "word " * 4000))
    document = read(read_report(result, phantom.as_source()), tmp_path / "report.pdf")
    text = " ".join(map(words, document.pages))
    assert 12 <= len(document.pages) <= 40 and text.count("Far far") == 60 and text.count("word") == 4000


@pytest.mark.parametrize("count", [1, 2, 5])
def test_poor_clips_have_a_pdf(tmp_path, count):
    header = make_header(frame_count=count, frame_times_s=np.arange(count) / 30, spacing_mm=None)
    lost = make_result(clip=header, reference_frame=0, points_px=np.full((count, 4, 2), np.nan))
    document = read(read_report(lost, make_clip(header).as_source()), tmp_path / "report.pdf")
    assert "lengths are in pixels" in " ".join(map(words, document.pages))
