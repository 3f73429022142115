import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.biomarkers.indices import INDICES
from echo_keypoints.results import from_document, schema, to_document
from known_hearts import beating, lengths_at, result_of_lengths

MAN = Patient("M", 170, 70, 50)


def values(result):
    return {name: entry["value"] for name, entry in result.measurements["indices"].items()}


def test_a_regular_heart_is_measured_as_it_was_made():
    result = measure(beating(), MAN)
    found = values(result)
    assert found["LVIDd"] == pytest.approx(50, abs=0.1) and found["LVIDs"] == pytest.approx(32, abs=0.1)
    assert found["FS"] == pytest.approx(36, abs=0.2) and found["LVM"] == pytest.approx(182, abs=1)
    assert result.measurements["heart_rate_bpm"] == pytest.approx(60, abs=0.5)
    whole = [beat for beat in result.beats if beat["complete"]]
    assert len(whole) == 3 and all(beat["accepted"] for beat in whole)
    assert result.measurements["indices"]["FS"]["n"] == 3
    assert result.measurements["geometry"]["class"] == "normal geometry"
    assert result.quality["measurable"]


def test_the_document_fits_the_schema_and_measuring_again_changes_nothing():
    result = measure(beating(), MAN)
    document = json.loads(json.dumps(to_document(result), allow_nan=False))
    jsonschema.Draft202012Validator(schema()).validate(document)
    again = measure(from_document(document))
    assert to_document(again)["beats"] == document["beats"]
    assert to_document(again)["quality"] == document["quality"]
    assert values(again) == pytest.approx(values(result), rel=1e-4)
    assert set(values(result)) | set(result.measurements["missing"]) >= {index.name for index in INDICES}


BY_BSA = {"LVMI", "LVMI_Mosteller", "LVIDd_BSA", "geometry"}
IN_MM = (
    {"IVSd", "LVIDd", "LVPWd", "IVSs", "LVIDs", "LVPWs", "LVM", "LVM_h27", "dDdt_systole", "dDdt_diastole"}
    | {"EDV_Teichholz", "ESV_Teichholz", "EF_Teichholz", "SV_Teichholz"}
    | BY_BSA
)
FINE = (
    {
        f"{wall}_{what}"
        for wall in ("IVS", "LVPW")
        for what in ("time_to_peak", "time_to_peak_RR", "peak_after_ES")
    }
    | {f"dDdt_{phase}{kind}" for phase in ("systole", "diastole") for kind in ("", "_norm")}
    | {"IVS_LVPW_delay"}
)
IN_SECONDS = FINE | {"RR", "ED_ES", "Vcf", "IVS_PSI", "LVPW_PSI"}


@pytest.mark.parametrize(
    "changes, patient, lost",
    [
        ({}, Patient(), BY_BSA | {"LVM_h27"}),
        ({}, Patient(height_cm=170, weight_kg=70), {"geometry"}),
        ({}, Patient("F", 170), BY_BSA),
        ({"mm_per_px": None}, MAN, IN_MM),
        ({"metadata": {"times_known": False}}, MAN, IN_SECONDS),
        ({"fps": 30}, MAN, FINE),
    ],
    ids=["no patient", "no sex", "no weight", "no scale", "no times", "30 fps"],
)
def test_each_missing_input_removes_exactly_what_needs_it(changes, patient, lost):
    complete = measure(beating(), MAN).measurements["missing"]
    assert complete == {}
    missing = measure(beating(**changes), patient).measurements["missing"]
    assert set(missing) == lost
    assert all(len(reason) > 10 for reason in missing.values())


def test_nothing_measurable_is_said_and_not_guessed():
    result = beating()
    lost = measure(replace(result, points_px=np.full_like(result.points_px, np.nan)))
    assert lost.beats == () and lost.quality["grade"] == "not measurable"
    assert lost.measurements["indices"] == {} and lost.measurements["curves"]["LVID"] is None
    assert all(lost.measurements["missing"].values())
    json.dumps(to_document(lost), allow_nan=False)


def test_the_early_lengthening_is_not_the_atrial_one():
    times = np.arange(round(3.3 * 50)) / 50
    strong = [lengths_at(0.9 + times, atrial=atrial) for atrial in (0.1, 0.6)]
    weak_kick, strong_kick = (
        values(measure(result_of_lengths(times, lengths), MAN))["dDdt_diastole"] for lengths in strong
    )
    # Of 18 mm the share 1 - atrial is filled within 0.35 of diastole's 0.62 s, at most 1.5 times as fast as on average.
    for found, atrial in ((weak_kick, 0.1), (strong_kick, 0.6)):
        assert found == pytest.approx(1.8 * (1 - atrial) / (0.35 * 0.62) * 1.5, rel=0.08)


def test_children_get_no_class_of_geometry():
    result = measure(beating(), Patient("M", 110, 19, 5))
    assert result.measurements["geometry"] is None
    assert result.measurements["missing"]["geometry"] == "the limits are for adults"


def test_two_frames_are_too_few():
    result = measure(result_of_lengths(np.array([0.0, 0.02]), lengths_at(np.array([0.0, 0.1]))))
    assert any("too few frames" in reason for reason in result.quality["reasons"])


def test_repeated_frames_do_not_make_a_clip_fast():
    doubled = beating(fps=60, metadata={"repeated_frames": 99})
    assert set(measure(doubled, MAN).measurements["missing"]) == FINE
