from dataclasses import replace

import pytest

from echo_keypoints.writers.report.content import remarks, report_content, telling
from example_results import make_header, make_result


def test_a_measured_clip(measured):
    content = report_content(measured)
    by_name = {row.name: row for group in content.groups for row in group.rows}
    index = measured.measurements["indices"]["LVIDd"]
    row = by_name["LVIDd"]
    assert row.value == f"{index['value']:.1f} mm" and row.basis == f"SD {index['sd']:.1f} · 2 beats"
    assert [flag.table for flag in row.flags] == ["ASE/EACVI 2015", "ASE 2005", "BSE 2020"]
    assert row.flags[0].limits == "42.0–58.4" and row.flags[0].normal
    assert [row.name for row in content.highlights[:5]] == ["LVIDd", "LVIDs", "IVSd", "LVPWd", "FS"]
    assert content.highlights[-1].name == "Geometry"
    names = {name for _, members in content.missing for name in members.split(", ")}
    assert names == set(measured.measurements["missing"]) and len(by_name) + len(names) > 35
    assert [beat.use for beat in content.beats] == ["used", "used", "rejected"]
    assert content.beats[0].ed == "1 · 0.000 s" and content.beats[2].remarks == (
        "The clip ends before the next end-diastole.",
    )
    facts = {title: dict(pairs) for title, pairs in content.facts}
    assert facts["Scale and time"]["Scale"] == "0.3876 mm per pixel"
    assert facts["Clip"]["Frame rate"] == "40.0 frames/s"
    assert facts["Patient, as given"]["Height (cm)"].startswith("178")
    assert facts["Conventions"]["ED frames"] == "largest LVID"
    assert content.models == (("detector.onnx", "a" * 64),)
    assert content.audit == (
        ("2026-01-02T03:04:05Z", "reader 1", "ES of beat 1", "8 → 9", "aortic valve closes later"),
    )


def test_all_flags_are_told_only_where_the_tables_disagree(measured):
    rows = {row.name: row for group in report_content(measured).groups for row in group.rows}
    assert len(telling(rows["LVIDd"].flags)) == 1
    assert [flag.grade for flag in telling(rows["IVSd"].flags)] == ["mildly abnormal", "normal"]


def test_a_result_that_was_not_measured():
    content = report_content(make_result())
    assert content.grade == "not assessed" and content.groups == () and content.beats == ()
    assert content.warnings == ("The frame times are uneven.",) and content.heart_rate == "–"


def test_without_times_or_scale_nothing_is_claimed():
    header = make_header(spacing_mm=None, spacing_source="no calibration", metadata={"times_known": False})
    facts = {title: dict(pairs) for title, pairs in report_content(make_result(clip=header)).facts}
    assert "Frame rate" not in facts["Clip"] and "Duration" not in facts["Clip"]
    assert "pixels" in facts["Scale and time"]["Scale"]
    assert "assumed" in facts["Scale and time"]["Source of the times"]


@pytest.mark.parametrize("grade", ["good", "poor"])
def test_reasons_come_first_where_the_quality_is_poor(measured, grade):
    quality = dict(measured.quality, grade=grade, reasons=["Beats: it shows no beat."])
    notes = dict(measured.measurements, beats_note="it shows no beat")
    told = remarks(report_content(replace(measured, quality=quality, measurements=notes)))
    assert told == (("Beats: it shows no beat.",) if grade == "poor" else ("It shows no beat.",))
