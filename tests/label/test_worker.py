"""The worker on the real server, as the Slicer panel uses it: next clip, analysis, correction, submit, upload."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from serving import SAMPLE, Server

from echo_keypoints.label_client import LabelServerError
from echo_keypoints.worker.methods import Methods


def quiet(stage: str, done: int, total: int) -> None:
    pass


def test_the_round_of_an_annotator(server: Server, tmp_path: Path) -> None:
    connection = {"url": server.url, "annotator": "anna", "token": None}
    with Methods() as methods:
        ask = methods.table
        info = ask["server_info"]({"connection": connection}, quiet)
        assert info["models"] and info["strategies"]
        strategy = next(iter(info["strategies"]))
        request = {"connection": connection, "strategy": strategy, "folder": str(tmp_path)}
        sample = ask["server_next"](request, quiet)
        assert Path(sample["path"]).is_file() and sample["explanation"]
        spec = {"path": sample["path"], "server": {"connection": connection, "clip_id": sample["clip_id"]}}
        told: list[str] = []
        analysed = ask["analyze"]({"clip": spec}, lambda stage, done, total: told.append(stage))["document"]
        points = np.array(json.loads(analysed)["tracks"]["points_px"])
        wanted = [[None, None], (points[5, 1] + (0, 2)).tolist(), [None, None], [None, None]]
        edit = {
            "kind": "landmarks",
            "values": {"frame": 5, "points_px": wanted},
            "who": "anna",
            "reason": "seen",
        }
        with Methods() as later:  # another process than the one that had it analysed, as after a restart
            request = {"clip": spec, "document": analysed, "edit": edit}
            edited = later.table["edit"](request, quiet)["document"]
        tracks = json.loads(edited)["tracks"]
        assert tracks["points_px"][5][1] == pytest.approx(wanted[1], abs=1e-3)
        assert [anchor["frame"] for anchor in tracks["anchors"]] == [5]
        place = {"clip_id": sample["clip_id"], "version": sample["version"]}
        save = {"connection": connection, **place, "document": edited}
        saved = ask["server_submit"](save, quiet)
        assert saved["annotator"] == "anna" and saved["version"] > sample["version"]
        with pytest.raises(LabelServerError):  # somebody, here ourselves, saved a newer one
            ask["server_submit"](save, quiet)


def test_an_analysis_that_is_stopped_stops_on_the_server(server: Server, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        raise Stopped

    connection = {"url": server.url, "annotator": "anna", "token": None}
    with Methods() as methods:
        sent = methods.table["server_upload"](
            {"connection": connection, "clip": {"path": str(SAMPLE)}}, quiet
        )
        place = {"connection": connection, "clip_id": sent["clip_id"]}
        with pytest.raises(Stopped):
            methods.table["analyze"]({"clip": {"path": str(SAMPLE), "server": place}}, stop)
    # The next job does not wait for the one that nobody wants.
    result = server.client().infer("sknet", "three.npz")
    assert result.clip.frame_count == 16


def test_a_clip_is_sent_under_a_name_without_meaning_and_only_once(server: Server) -> None:
    connection = {"url": server.url, "annotator": "anna", "token": None}
    with Methods() as methods:
        request = {"connection": connection, "clip": {"path": str(SAMPLE)}}
        first = methods.table["server_upload"](request, quiet)
        assert "phantom" not in first["clip_id"]
        assert methods.table["server_upload"](request, quiet) == first


@pytest.mark.parametrize("name", ["IM_0001", "1.2.840.Doe", "heart.txt"])
def test_dicom_of_any_name_can_be_sent(server: Server, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = pydicom.dcmread(SAMPLE)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name])
    data.save_as(path)
    connection = {"url": server.url, "annotator": "anna", "token": None}
    with Methods() as methods:
        request = {"connection": connection, "clip": {"path": str(path)}}
        sent = methods.table["server_upload"](request, quiet)
        assert re.fullmatch(r"clip-[0-9a-f]{16}\.dcm", sent["clip_id"])
        assert methods.table["server_upload"](request, quiet) == sent
