"""A real Orthanc with its DICOMweb plugin as the datastore."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from edits import corrected
from pydicom.uid import generate_uid
from serving import SAMPLE, Server, free_port

from echo_keypoints.label_client import RefusedError
from echo_keypoints.readers import read_clip

SECOND = generate_uid(entropy_srcs=["second"])
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = pytest.mark.skipif(
    shutil.which("Orthanc") is None or not PLUGIN.exists(),
    reason="Orthanc and orthanc-dicomweb are not installed",
)


class Archive:
    """An Orthanc of its own, in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "orthanc.json"
        self.config.write_text(
            json.dumps(
                {
                    "Name": "test",
                    "StorageDirectory": str(folder / "storage"),
                    "IndexDirectory": str(folder / "storage"),
                    "HttpPort": self.port,
                    "DicomServerEnabled": False,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "Plugins": [str(PLUGIN)],
                    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                }
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Archive:
        self.process = subprocess.Popen(
            ["Orthanc", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{self.url}/system", timeout=2).raise_for_status()
                return self
            except requests.RequestException:
                assert time.monotonic() < until, "Orthanc does not start"
                time.sleep(0.3)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)

    def send(self, dataset: pydicom.Dataset) -> None:
        content = BytesIO()
        dataset.save_as(content)
        requests.post(f"{self.url}/instances", content.getvalue(), timeout=30).raise_for_status()

    def reports(self) -> list[dict]:  # type: ignore[type-arg]
        query = {"Level": "Instance", "Query": {"Modality": "SR"}, "Expand": True}
        return list(requests.post(f"{self.url}/tools/find", json=query, timeout=30).json())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Two cines of one series, a still beside them, and a CT."""
    archive = Archive(tmp_path).start()
    cine = pydicom.dcmread(SAMPLE)
    archive.send(cine)
    second = pydicom.dcmread(SAMPLE)
    second.SOPInstanceUID = SECOND
    second.file_meta.MediaStorageSOPInstanceUID = second.SOPInstanceUID
    archive.send(second)
    still = pydicom.dcmread(SAMPLE)
    still.decompress()
    still.SOPInstanceUID = generate_uid(entropy_srcs=["still"])
    still.NumberOfFrames = 1
    still.PixelData = still.PixelData[: still.Rows * still.Columns * still.SamplesPerPixel]
    still.file_meta.MediaStorageSOPInstanceUID = still.SOPInstanceUID
    archive.send(still)
    other = pydicom.dcmread(SAMPLE)
    other.Modality, other.SeriesInstanceUID = "CT", generate_uid(entropy_srcs=["series"])
    other.SOPInstanceUID = generate_uid(entropy_srcs=["other"])
    other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
    archive.send(other)
    yield archive
    archive.stop()


def test_list_fetch_analyse_and_save_back(archive: Archive, tmp_path: Path) -> None:
    uid = pydicom.dcmread(SAMPLE, stop_before_pixels=True).SOPInstanceUID
    server = Server(f"{archive.url}/dicom-web", "--conf", "state", str(tmp_path / "state")).start()
    try:
        client = server.client()
        assert sorted(clip.id for clip in client.clips()) == sorted([uid, SECOND])  # US and moving only
        assert client.clip(uid).frame_count == 60
        fetched = client.download_clip(uid, tmp_path / "here")
        ours, theirs = read_clip(SAMPLE), read_clip(fetched)
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        assert pydicom.dcmread(fetched).PixelData == pydicom.dcmread(SAMPLE).PixelData
        result = client.infer("trnet", uid, save=True)
        assert client.clip(uid).spacing_mm == pytest.approx(ours.header.spacing_mm)

        first = corrected(client, uid, result, 5)
        saved = client.save_label(uid, first, base_version=1)
        assert saved.version == 2 and client.clip(uid).state == "final"
        assert (tmp_path / f"state/labels/final/{uid}.json").is_file()
        (report,) = archive.reports()
        content = requests.get(f"{archive.url}/instances/{report['ID']}/file", timeout=30).content
        structured = pydicom.dcmread(BytesIO(content))
        assert (
            structured.StudyInstanceUID == pydicom.dcmread(SAMPLE, stop_before_pixels=True).StudyInstanceUID
        )
        assert structured.Modality == "SR"

        archive.stop()  # the archive is away: labels are kept, the report waits
        client.save_label(uid, corrected(client, uid, first, 8), base_version=2)
        assert len(list((tmp_path / "state/outbox").glob("*.dcm"))) == 1
        with pytest.raises(RefusedError, match="cannot be reached"):
            client.download_clip(SECOND, tmp_path / "here")
        archive.start()
    finally:
        server.stop()
    again = Server(f"{archive.url}/dicom-web", "--conf", "state", str(tmp_path / "state")).start()
    try:
        assert again.client().label(uid).info.version == 3
        assert len(archive.reports()) == 2 and not list((tmp_path / "state/outbox").glob("*.dcm"))
    finally:
        again.stop()
