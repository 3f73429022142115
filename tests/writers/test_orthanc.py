"""Our files in a real archive: stored over the network by DCMTK, found in their study, read back."""

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request

import pydicom
import pytest

from echo_keypoints.readers.dicom_study import read_study
from echo_keypoints.writers.dicom_overlay import write_dicom_overlay
from echo_keypoints.writers.structured_report import write_sr
from example_results import make_clip, make_measured

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")

pytestmark = [
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
    pytest.mark.skipif(not shutil.which("storescu"), reason="storescu (DCMTK) is not installed"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Archive:
    """An Orthanc of the test's own, on the loopback only."""

    def __init__(self, folder):
        self.http, self.dicom = free_port(), free_port()
        config = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ARCHIVE",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(config))
        self.log = (folder / "log.txt").open("wb")
        self.process = subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=self.log, stderr=self.log)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=5) as answer:
            return answer.read()

    def wait(self):
        for _ in range(150):
            try:
                return self.get("/system")
            except OSError:
                assert self.process.poll() is None, "Orthanc ended"
                time.sleep(0.1)
        raise AssertionError("Orthanc did not start")

    def store(self, *files, syntax):
        """Send files; `syntax` is DCMTK's option that proposes their transfer syntax."""
        command = ["storescu", "--required", syntax, "-aec", "ARCHIVE", "127.0.0.1", str(self.dicom), *files]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    server = Archive(tmp_path_factory.mktemp("orthanc"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory, named_clip):
    folder, result, study = tmp_path_factory.mktemp("files"), make_measured(), read_study(named_clip)
    for template in ("1500", "5300"):
        write_sr(result, folder / f"sr{template}.dcm", study, template=template, with_identity=True)
    write_dicom_overlay(result, make_clip().as_source(), folder / "overlay.dcm", study)
    return [named_clip, *sorted(folder.iterdir())]


def test_all_files_are_stored_in_the_study_of_the_clip_and_come_back(archive, files):
    compressed = [f for f in files if pydicom.dcmread(f).file_meta.TransferSyntaxUID.is_compressed]
    archive.store(*compressed, syntax="-xy")  # baseline JPEG
    archive.store(*(set(files) - set(compressed)), syntax="-xe")  # Explicit VR Little Endian
    studies = json.loads(archive.get("/studies?expand"))
    assert len(studies) == 1 and len(studies[0]["Series"]) == len(files)
    clip = pydicom.dcmread(files[0])
    assert studies[0]["MainDicomTags"]["StudyInstanceUID"] == clip.StudyInstanceUID
    back = {}
    for instance in json.loads(archive.get("/instances")):
        dataset = pydicom.dcmread(io.BytesIO(archive.get(f"/instances/{instance}/file")))
        back[dataset.SOPInstanceUID] = dataset
    for file in files:
        sent = pydicom.dcmread(file)
        received = back[sent.SOPInstanceUID]
        assert received == sent, file.name
        assert received.PatientName == "Ødegård^Åse"
