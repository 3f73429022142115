import pytest

from echo_keypoints.biomarkers import Patient
from echo_keypoints.biomarkers.geometry import geometry
from echo_keypoints.biomarkers.indices import INDICES, Missing
from echo_keypoints.biomarkers.references import TABLES, flags, reference_table, why_no_flags

MAN, WOMAN = Patient("M", age_years=50), Patient("F", age_years=50)


def by_table(*facts):
    return {flag["table"]: flag["grade"] for flag in flags(*facts)}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_whole(name):
    table = reference_table(name)
    assert table["id"] and table["version"] >= 1 and table["doi"].startswith("10.")
    units = {index.name: index.unit for index in INDICES}
    for entry in table["entries"]:
        assert entry["unit"] == units[entry["index"]] and entry["sex"] in "FM"
        assert entry["grades"][0]["grade"] == "normal"
        for grade in entry["grades"]:
            assert grade["low"] is None or grade["high"] is None or grade["low"] <= grade["high"]


@pytest.mark.parametrize(
    "index, value, patient, expected",
    [
        ("IVSd", 10.4, MAN, {"ASE/EACVI 2015": "normal", "BSE 2020": "normal"}),
        ("IVSd", 10.5, MAN, {"ASE/EACVI 2015": "mildly abnormal", "BSE 2020": "normal"}),
        ("IVSd", 10.4, WOMAN, {"ASE/EACVI 2015": "mildly abnormal"}),
        ("IVSd", 17, MAN, {"ASE/EACVI 2015": "severely abnormal", "BSE 2020": "above normal"}),
        ("IVSd", 5.2, MAN, {"ASE/EACVI 2015": "below normal", "BSE 2020": "below normal"}),
        ("LVMI", 100.56, MAN, {"ASE/EACVI 2015": "normal", "BSE 2020": "normal"}),
        ("LVMI", 100.56, WOMAN, {"ASE/EACVI 2015": "mildly abnormal", "BSE 2020": "mildly abnormal"}),
        ("LVMI", 99.4, WOMAN, {"ASE/EACVI 2015": "mildly abnormal", "BSE 2020": "normal"}),
        ("LVMI", 116, WOMAN, {"ASE/EACVI 2015": "moderately abnormal", "BSE 2020": "above normal"}),
        ("FS", 36, MAN, {"ASE 2005": "normal"}),
        ("FS", 14.4, MAN, {"ASE 2005": "severely abnormal"}),
        ("FS", 50, MAN, {"ASE 2005": "above normal"}),
        ("RWT", 0.464, MAN, {"ASE 2005": "mildly abnormal"}),
        ("LVIDd", 59.6, MAN,
         {"ASE/EACVI 2015": "above normal", "ASE 2005": "mildly abnormal", "BSE 2020": "mildly abnormal"}),
        ("IVS_PSI", 40, MAN, {}),
    ],
)  # fmt: skip
def test_values_are_graded_as_printed(index, value, patient, expected):
    assert by_table(index, value, patient) == expected


def test_without_a_sex_or_for_a_child_nothing_is_graded():
    assert not flags("IVSd", 20, Patient(age_years=50)) and "sex" in why_no_flags(Patient())
    assert not flags("IVSd", 20, Patient("F", age_years=12)) and "adults" in why_no_flags(
        Patient("F", age_years=12)
    )
    assert why_no_flags(MAN) is None


def test_classes_of_geometry():
    classes = {
        (100, 0.40, "M"): "normal geometry",
        (100.56, 0.40, "F"): "eccentric hypertrophy",
        (100, 0.45, "M"): "concentric remodelling",
        (130, 0.45, "M"): "concentric hypertrophy",
    }
    for (lvmi, rwt, sex), expected in classes.items():
        assert geometry(lvmi, rwt, Patient(sex), {"LVMI": 1, "RWT": 0.01})["class"] == expected
    sure = geometry(80, 0.30, Patient("M"), {"LVMI": 19, "RWT": 0.05})
    assert not sure["borderline"] and sure["within_error"] == []
    unsure = geometry(100, 0.40, Patient("M"), {"LVMI": 19, "RWT": 0.05})
    assert unsure["borderline"] and len(unsure["within_error"]) == 3
    assert isinstance(geometry(100, 0.4, Patient(), {}), Missing)
