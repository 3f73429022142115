import pytest

from echo_keypoints.biomarkers import Patient, formulas
from echo_keypoints.biomarkers.indices import Missing, compute, uncertainty
from echo_keypoints.biomarkers.quantities import patient_quantities
from echo_keypoints.errors import QueryError

# Computed apart from this code, from the printed formulas: IVSd 1.0, LVIDd 5.0, LVPWd 1.0, LVIDs 3.2 cm, 170 cm, 70 kg.
PUBLISHED = {
    "LVM": 181.976, "EDV_Teichholz": 118.243, "ESV_Teichholz": 40.960, "EF_Teichholz": 65.36, "FS": 36.0,
    "RWT": 0.400, "MWFS": 16.94, "LVMI": 100.56, "LVMI_Mosteller": 100.09, "LVM_h27": 43.43,
}  # fmt: skip
PATIENT = Patient("M", 170, 70, 50)


def quantities(ivs_d=10.0, lvid_d=50.0, lvpw_d=10.0, ivs_s=14.0, lvid_s=32.0, lvpw_s=15.0, patient=PATIENT):
    lengths = {
        "IVSd": ivs_d,
        "LVIDd": lvid_d,
        "LVPWd": lvpw_d,
        "IVSs": ivs_s,
        "LVIDs": lvid_s,
        "LVPWs": lvpw_s,
    }
    found = {f"{name}_{kind}": value for name, value in lengths.items() for kind in ("mm", "raw")}
    return {**found, "RR_ms": 1000.0, "ED_ES_ms": 300.0, **patient_quantities(patient)}


def test_the_published_vector():
    found = compute(quantities())
    for name, value in PUBLISHED.items():
        assert found[name] == pytest.approx(value, abs=6e-3), name
    assert PATIENT.bsa_dubois_m2 == pytest.approx(1.80971, abs=1e-5)
    assert PATIENT.bsa_mosteller_m2 == pytest.approx(1.81812, abs=1e-5)
    assert found["RWT_sum"] == pytest.approx(0.4)
    assert found["IVS_thickening"] == pytest.approx(40) and found["LVPW_thickening"] == pytest.approx(50)
    assert found["Vcf"] == pytest.approx(0.36 / 0.3)


def test_a_hypertrophied_heart():
    found = compute(quantities(14.0, 56.0, 13.0))
    assert found["LVM"] == pytest.approx(330.21, abs=5e-3)
    assert found["RWT"] == pytest.approx(0.464, abs=5e-4)


def test_errors_of_a_length_move_the_indices_as_computed_by_hand():
    base, thick, wide = (compute(q) for q in (quantities(), quantities(11.0), quantities(10.0, 51.0)))
    assert thick["LVM"] - base["LVM"] == pytest.approx(12.3, abs=0.15)
    assert wide["LVM"] - base["LVM"] == pytest.approx(6.0, abs=0.1)
    assert wide["EF_Teichholz"] - base["EF_Teichholz"] == pytest.approx(1.56, abs=0.06)
    assert uncertainty(quantities(), 1.0)["LVM"] == pytest.approx(35, abs=2)


def test_post_systolic_index_is_that_of_strain():
    strain = lambda wall: (wall - 10) / 10  # noqa: E731
    expected = 100 * (strain(15) - strain(14)) / strain(15)
    assert formulas.post_systolic_index(10, 14, 15) == pytest.approx(expected)


def test_what_is_missing_removes_what_needs_it_and_nothing_else():
    found = compute(quantities(patient=Patient(weight_kg=70)))
    lost = {
        name: q.reason for name, q in found.items() if isinstance(q, Missing) and not name.endswith("curve")
    }
    body = {name for name, reason in lost.items() if "height" in reason}
    assert body == {"LVMI", "LVMI_Mosteller", "LVM_h27", "LVIDd_BSA"}


def test_a_formula_without_a_value_is_missing():
    found = compute(quantities(lvid_d=0.0))
    assert isinstance(found["FS"], Missing) and isinstance(found["RWT"], Missing)


@pytest.mark.parametrize(
    "facts",
    [{"sex": "X"}, {"height_cm": 1.7}, {"weight_kg": -70}, {"age_years": 200}, {"height_cm": float("nan")}],
)
def test_impossible_patients_are_refused(facts):
    with pytest.raises(QueryError):
        Patient(**facts)
