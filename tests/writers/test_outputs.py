"""Which files a result's folder gets, and whom they name."""

import pydicom
import pytest

from echo_keypoints.biomarkers import measure
from echo_keypoints.readers.dicom_study import read_study
from echo_keypoints.writers.outputs import write_outputs
from example_results import make_clip
from known_hearts import beating


@pytest.mark.parametrize("asked", [False, True])
def test_no_file_names_the_patient_unless_asked(tmp_path, named_clip, asked):
    study = read_study(named_clip)
    options = {"video": False, "report": False, "study": study, "with_identity": asked}
    written = write_outputs(measure(beating()), make_clip().as_source(), tmp_path, **options)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    naming = {path.name for path in written if "degård" in path.read_bytes().decode(errors="ignore")}
    assert naming == ({"sr.dcm"} if asked else set())
    sr, clip = pydicom.dcmread(tmp_path / "sr.dcm"), pydicom.dcmread(named_clip)
    assert (sr.StudyInstanceUID == clip.StudyInstanceUID) == asked
