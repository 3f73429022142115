"""The sample phantom with its true tracks, measured: a whole report without any network."""

import json
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.readers import open_clip, read_clip
from echo_keypoints.results import AnalysisResult, AuditEntry
from echo_keypoints.writers.report import read_report

_SAMPLE = Path(__file__).parents[3] / "docs" / "sample"


@pytest.fixture(scope="session")
def phantom():
    return read_clip(_SAMPLE / "plax_phantom.dcm")


@pytest.fixture(scope="session")
def measured(phantom) -> AnalysisResult:
    """Two beats used and one rejected; a man's values, so that there are flags; one change by a person."""
    points = np.array(json.loads((_SAMPLE / "plax_phantom.json").read_text())["points_px"])
    confidence = np.full(points.shape[:2], 0.9)
    confidence[14:18, 2] = 0.2
    result = AnalysisResult(
        clip=phantom.header,
        points_px=points,
        confidence=confidence,
        reference_frame=5,
        models={"detector.onnx": "a" * 64},
        audit=(
            AuditEntry("reader 1", "2026-01-02T03:04:05Z", "ES of beat 1", 8, 9, "aortic valve closes later"),
        ),
    )
    return measure(result, Patient(sex="M", height_cm=178, weight_kg=74, age_years=50))


@pytest.fixture(scope="session")
def report(measured):
    return read_report(measured, open_clip(_SAMPLE / "plax_phantom.dcm"))


@pytest.fixture(scope="session")
def page(report, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write_html(path)
    return path
