"""The bundle as MONAI's own tools see it."""

import ast
import configparser
import json
import subprocess
from pathlib import Path

import jsonschema
import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigWorkflow, ckpt_export, onnx_export, verify_metadata, verify_net_in_out

from echo_keypoints._version import __version__
from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.networks import FlowNet, SKNet, TRNet, save_weights
from echo_keypoints.results import load_result
from echo_keypoints.tracking.steady import HEIGHT, WIDTH

ROOT = Path(__file__).resolve().parents[1] / "monai_bundle"
CONFIGS = ROOT / "configs"
METADATA = json.loads((CONFIGS / "metadata.json").read_text(encoding="utf-8"))
NET = {
    "net_id": "network_def",
    "meta_file": str(CONFIGS / "metadata.json"),
    "config_file": str(CONFIGS / "inference.json"),
}

# MONAI's own schema is a release asset that cannot be had offline; this one states what the MONAI Bundle
# Specification lists as mandatory, and the formats that it asks of every tensor.
_TENSOR = {
    "type": "object",
    "required": [
        "type", "format", "modality", "num_channels", "spatial_shape", "dtype", "value_range",
        "is_patch_data", "channel_def",
    ],
    "properties": {
        "type": {"enum": ["image", "series", "tuples", "probabilities"]},
        "format": {"type": "string"},
        "modality": {"type": "string"},
        "num_channels": {"type": "integer", "minimum": 1},
        "spatial_shape": {"type": "array", "items": {"type": ["integer", "string"]}},
        "dtype": {"type": "string"},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}  # fmt: skip
_FORMAT = {
    "type": "object",
    "required": ["inputs", "outputs"],
    "additionalProperties": {"type": "object", "additionalProperties": _TENSOR},
}
_TEXT = {"type": "string", "minLength": 1}
_VERSION = {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "required": [
        "schema", "version", "changelog", "monai_version", "pytorch_version", "numpy_version",
        "required_packages_version", "task", "description", "authors", "copyright", "network_data_format",
    ],
    "properties": {
        **dict.fromkeys(("version", "monai_version", "pytorch_version", "numpy_version"), _VERSION),
        **dict.fromkeys(("changelog", "required_packages_version"), _TEXTS),
        **dict.fromkeys(("schema", "task", "description", "authors", "copyright", "intended_use"), _TEXT),
        "references": {"type": "array", "items": _TEXT},
    },
    "patternProperties": {"_data_format$": _FORMAT},
}  # fmt: skip


def workflow(name: str | list[str], kind: str, **overrides) -> ConfigWorkflow:
    opened = ConfigWorkflow(
        [str(CONFIGS / each) for each in ([name] if isinstance(name, str) else name)],
        workflow_type=kind,
        logging_file=False,
        bundle_root=str(ROOT),
        **overrides,
    )
    opened.initialize()
    return opened


# ---- metadata


def test_metadata_is_verified_by_monai_with_an_offline_schema(tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    verify_metadata(meta_file=NET["meta_file"], filepath=str(schema))


def test_the_schema_notices_what_is_missing():
    for key in SCHEMA["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in METADATA.items() if k != key}, SCHEMA)


def test_metadata_fits_the_software():
    assert METADATA["version"] in METADATA["changelog"]
    assert METADATA["version"] == __version__
    channels = METADATA["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert [channels[str(i)].split(":")[0] for i in range(4)] == list(LANDMARK_NAMES)
    assert "Research use only" in METADATA["intended_use"]
    window = TRNet.from_preset("small").window
    pictures = METADATA["placement_data_format"]["inputs"]["pictures"]["spatial_shape"]
    assert pictures[1:] == [HEIGHT, WIDTH]
    assert METADATA["trajectory_data_format"]["inputs"]["points"]["spatial_shape"] == [window, 4]


def test_what_the_model_zoo_asks_for_is_there():
    for name in (
        "LICENSE",
        "docs/README.md",
        "docs/data_license.txt",
        "configs/inference.json",
        "configs/logging.conf",
    ):
        assert (ROOT / name).is_file()
    files = subprocess.run(
        ["git", "ls-files", "."], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    assert files or not (ROOT.parent / ".git").exists()
    for file in files.splitlines():
        assert (ROOT / file).stat().st_size < 25e6, file
    for config in CONFIGS.iterdir():
        assert not any(
            place in config.read_text(encoding="utf-8")
            for place in ("/home", "/root", "/work", "/opt", "C:\\")
        ), config.name


def test_logging_is_plain():
    parser = configparser.RawConfigParser()
    parser.read(CONFIGS / "logging.conf")
    assert ast.parse(parser["handler_console"]["args"], mode="eval")


# ---- properties


@pytest.mark.parametrize("stage", ["train_sknet", "train_flow", "train_trnet"])
def test_training_configs_have_every_property(stage, tmp_path):
    weights = {}
    if stage == "train_trnet":
        for key, network in (("sknet_weights", SKNet), ("flownet_weights", FlowNet)):
            weights[key] = str(tmp_path / f"{key}.pt")
            save_weights(network.from_preset("small"), weights[key])
    opened = workflow(f"{stage}.json", "train", output_dir=str(tmp_path / "run"), device="cpu", **weights)
    assert opened.check_properties() == []
    assert opened.max_epochs > 1
    assert "training" in opened.parser and "run" in opened.parser and "evaluating" in opened.parser
    assert opened.parser["training"] == opened.parser["run"]


def test_unlabelled_stages_train_without_landmarks(tmp_path):
    flow = workflow(
        "train_flow.json", "train", output_dir=str(tmp_path / "flow"), image_size=32, frames=4, pairs=2
    )
    assert set(flow.train_dataset[0]) == {"reference", "target"}
    trnet = workflow("train_trnet.json", "train", output_dir=str(tmp_path / "trnet"), image_size=32, frames=4)
    assert set(trnet.train_dataset[0]) == {"frames"}


def test_with_a_slow_teacher_trnet_learns_from_lessons(tmp_path):
    sknet = tmp_path / "sknet.pt"
    save_weights(SKNet.from_preset("small"), sknet)
    changes = {"sknet_weights": str(sknet), "lessons": 2, "image_size": 32, "frames": 4, "device": "cpu"}
    trnet = workflow(
        ["train_trnet.json", "dis_teacher.json"], "train", output_dir=str(tmp_path / "trnet"), **changes
    )
    assert set(trnet.train_dataset[0]) >= {"frames", "queries", "pseudo", "weight"}
    assert len(list((tmp_path / "trnet/lessons").iterdir())) == 1


def test_inference_config_has_every_property():
    assert workflow("inference.json", "infer").check_properties() == []


# ---- networks and exports


def test_the_network_is_what_the_metadata_say():
    verify_net_in_out(**NET, device="cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "sknet.pt"
    save_weights(SKNet.from_preset("small"), path)
    return path


def reference(weights: Path, image: torch.Tensor) -> np.ndarray:
    network = SKNet.from_preset("small").eval()
    network.load_state_dict(torch.load(weights, weights_only=True)["weights"])
    with torch.no_grad():
        return network(image).numpy()


def test_torchscript_export_by_monai(weights, tmp_path):
    path = tmp_path / "sknet.ts"
    ckpt_export(
        **NET, filepath=str(path), ckpt_file=str(weights), key_in_ckpt="weights",
        use_trace=True, input_shape=[1, 1, 224, 224],
    )  # fmt: skip
    image = torch.rand(1, 1, 224, 224)
    np.testing.assert_allclose(torch.jit.load(path)(image).detach(), reference(weights, image), atol=1e-4)


def test_onnx_export_by_monai(weights, tmp_path):
    path = tmp_path / "sknet.onnx"
    onnx_export(
        **NET, filepath=str(path), ckpt_file=str(weights), key_in_ckpt="weights",
        use_trace=True, input_shape=[1, 1, 224, 224],
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path))
    image = torch.rand(1, 1, 224, 224)
    (output,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    np.testing.assert_allclose(output, reference(weights, image), atol=1e-4)


# ---- inference


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Untrained weights: what is tested is the way from clip to files."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for network in (SKNet, TRNet):
        save_weights(network.from_preset("small"), folder / f"{network.__name__.lower()}.pt")
    return folder


def test_inference_writes_a_result_for_each_clip_and_names_the_others(models, tmp_path, caplog):
    clips = tmp_path / "clips"
    clips.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        np.savez(clips / f"{name}.npz", video=rng.integers(0, 255, (3, 60, 80)).astype(np.uint8), fps=30.0)
    opened = workflow(
        "inference.json", "infer", dataset_dir=str(clips), output_dir=str(tmp_path / "out"), engine="torch",
        models_dir=str(models), video=False,
    )  # fmt: skip
    opened.run()
    for name in ("a", "b"):
        result = load_result(tmp_path / "out" / name / "result.json")
        assert result.points_px.shape == (3, 4, 2) and result.backend == "torch"
        assert (tmp_path / "out" / name / "curves.csv").is_file()
    again = workflow(
        "inference.json", "infer", dataset_dir=str(clips / "a.npz"), output_dir=str(tmp_path / "out"),
        engine="torch", models_dir=str(models), video=False,
    )  # fmt: skip
    with pytest.raises(RuntimeError) as caught:
        again.run()
    assert "1 of 1 clips" in str(caught.value.__cause__)


def test_inference_without_a_clip_says_so():
    with pytest.raises(RuntimeError) as caught:
        workflow("inference.json", "infer").run()
    assert "--dataset_dir" in str(caught.value.__cause__)
