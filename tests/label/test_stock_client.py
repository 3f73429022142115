"""MONAI Label's own command and client class, as the stock Slicer module uses it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from monailabel.client import MONAILabelClient
from serving import APP, CLIPS, SAMPLE, Server

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.results import load_result


@pytest.fixture(scope="module")
def server(clip_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server started by ``monailabel start_server`` without our start script."""
    server = Server(shutil.copytree(clip_files, tmp_path_factory.mktemp("stock") / "studies"))
    server.command = ("-m", "monailabel.main", "start_server", "--app", str(APP), "--host", "127.0.0.1")
    yield server.start()
    server.stop()


def test_info_sample_infer_save_and_scores(server: Server, tmp_path: Path) -> None:
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="stock user")
    assert not client.auth_enabled()
    info = client.info()
    assert set(info["models"]) == {"sknet", "trnet", "refine"} and info["labels"] == list(LANDMARK_NAMES)
    assert all(model["type"] == "detection" for model in info["models"].values())
    sample = client.next_sample("first", {})
    assert sample["id"] == CLIPS[0]

    file, params = client.infer("trnet", sample["id"], {"result_extension": ".nrrd", "frame": 4})
    assert str(file).endswith(".mrk.json")
    (points,) = json.loads(Path(file).read_text())["markups"]
    assert points["type"] == "Fiducial"
    assert [point["label"] for point in points["controlPoints"]] == list(LANDMARK_NAMES)
    sx, sy = params["clip"]["spacing_mm"]
    x, y = params["tracks"]["points_px"][4][0]
    assert points["controlPoints"][0]["position"][:2] == pytest.approx([x * sx, y * sy], abs=1e-3)

    label = tmp_path / "label.json"
    label.write_text(json.dumps(params))
    assert client.save_label(sample["id"], str(label), tag="final", params={})["label"] == sample["id"]
    assert client.save_label(sample["id"], str(label), tag="final", params={})["version"] == 2
    assert client.next_sample("first", {})["id"] == CLIPS[1]
    copy = client.download_label(sample["id"], "final")
    assert load_result(copy).clip.frame_count == 16
    everything = client.datastore()["objects"]
    assert set(everything) == set(CLIPS) and everything[CLIPS[0]]["labels"]["final"]["ext"] == ".json"


def test_upload_and_errors(server: Server, tmp_path: Path) -> None:
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path))
    assert client.upload_image(str(SAMPLE), "uploaded.1.dcm")["image"] == "uploaded.1.dcm"
    with pytest.raises(Exception, match="no such clip"):
        client.infer("trnet", "nothing", {})
    with pytest.raises(Exception, match=r"result\.json"):
        text = tmp_path / "label.json"
        text.write_text("no json")
        client.save_label(CLIPS[1], str(text))


def test_a_batch_that_is_asked_for_again_goes_on_with_other_clips(server: Server) -> None:
    def batch() -> dict[str, Any]:
        answer = requests.post(f"{server.url}/batch/infer/trnet", timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    client = server.client()
    new = [clip.id for clip in client.clips() if clip.state == "new"]
    first, second = batch(), batch()
    assert len(first["jobs"]) == len(new) > 1 and first["waiting"] == 0
    assert second == {"jobs": [], "waiting": 0}
    until = time.monotonic() + 300
    while any(clip.state == "new" for clip in client.clips()):
        assert time.monotonic() < until
        time.sleep(0.3)
    assert all(len(client.clip(clip).versions) == 1 for clip in new)


def test_the_guides_own_script_runs_as_it_is_printed(server: Server) -> None:
    guide = (APP.parent / "docs/annotation.md").read_text(encoding="utf-8")
    script = guide.split("```python\n")[1].split("```")[0]
    assert "client.save_label" in script
    names: dict[str, Any] = {}
    exec(compile(script.replace("http://127.0.0.1:8000", server.url), "annotation.md", "exec"), names)
    clip = server.client().clip(names["clip"].id)
    assert clip.state == "final" and clip.lock is None
    assert clip.versions[-1].annotator == "anna" and clip.versions[0].tag == "original"
