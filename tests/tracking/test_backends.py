import shutil

import numpy as np
import onnx
import pytest
import torch
from oracle import coded_clip

from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import ModelError
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.networks.placenet import PlaceNet
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.networks.weights import save_weights
from echo_keypoints.tracking import load_backend, track_clip
from echo_keypoints.tracking.backends.onnx_backend import OnnxBackend
from echo_keypoints.tracking.backends.torch_backend import TorchBackend
from echo_keypoints.tracking.context import temporal_context
from echo_keypoints.tracking.steady import HEIGHT, WIDTH
from echo_keypoints.training.export import cloudy_frames, export_labeller, export_models

NEEDED = ("detector.onnx", "descriptor.onnx", "refiner.onnx", "tissue.onnx")


def random_sknet(seed: int) -> SKNet:
    """Not trained; its tissues differ."""
    torch.manual_seed(seed)
    sknet = SKNet.from_preset("small", tissue_classes=8).eval()
    for head in sknet.tissue_heads:
        torch.nn.init.normal_(head.weight)
    return sknet


@pytest.fixture(scope="module")
def networks():
    """Random networks, not trained; the steps of TR-net are not zero."""
    sknet = random_sknet(0)
    trnet = TRNet.from_preset("small", dim=32, depth=2, embedding=16).eval()
    torch.nn.init.normal_(trnet.step.weight, std=0.05)
    return sknet, trnet


@pytest.fixture(scope="module")
def models(networks, tmp_path_factory):
    """Weights and what is exported from them (once: it takes a minute); the detector labels the tissue."""
    folder = tmp_path_factory.mktemp("models")
    save_weights(networks[0], folder / "sknet.pt")
    save_weights(networks[1], folder / "trnet.pt")
    torch.manual_seed(1)
    save_weights(PlaceNet.from_preset("small"), folder / "placenet.pt")
    assert export_models(folder) < 0.05
    return folder


def test_onnx_and_torch_give_the_same_tracks(models, networks):
    onnx, torch_backend = load_backend("onnx", models, threads=1), load_backend("torch", models, device="cpu")
    assert onnx.window == torch_backend.window == 24 and onnx.map_bytes == torch_backend.map_bytes
    frames = cloudy_frames(4, seed=3)
    contexts = [temporal_context(cloudy_frames(3, seed=i)) for i in range(4)]
    one, other = onnx.detect(frames, contexts), torch_backend.detect(frames, contexts)
    np.testing.assert_allclose(one.points, other.points, atol=0.05)
    np.testing.assert_allclose(one.peak, other.peak, atol=1e-4)
    np.testing.assert_allclose(one.spread_px, other.spread_px, atol=0.05)
    for ours, theirs in zip(one.maps, other.maps, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)
    tissue, again = (backend.label(frames, contexts) for backend in (onnx, torch_backend))
    assert tissue.shape == (4, 2, 56, 56) and tissue.dtype == again.dtype == np.uint8
    assert len(np.unique(tissue[:, 0])) > 2 and tissue[:, 0].max() < 8
    assert (tissue[:, 0] == again[:, 0]).mean() > 0.999
    np.testing.assert_allclose(tissue[:, 1].astype(int), again[:, 1], atol=1)
    clip = coded_clip(26)
    tracks = [track_clip(clip, backend, reference=4) for backend in (onnx, torch_backend)]
    np.testing.assert_allclose(tracks[0].points_px, tracks[1].points_px, atol=0.05)
    moved = np.abs(tracks[0].points_px - track_clip(clip, onnx, reference=4, iterations=0).points_px)
    assert moved.max() > 0.5  # else the refiner was not compared at all


@pytest.mark.parametrize("size", [(32, 48), (224, 224)])
def test_onnx_and_torch_see_the_same_motion(models, size):
    frames = cloudy_frames(6, seed=2)[:, : size[0], : size[1]]
    frames = frames // 8 + np.random.default_rng(0).integers(0, 200, frames.shape, dtype=np.uint8)
    onnx, torch_backend = load_backend("onnx", models, threads=2), load_backend("torch", models, device="cpu")
    one, other = (backend.flow(frames[:-1], frames[1:]) for backend in (onnx, torch_backend))
    assert one.shape == (5, 2, size[0] // 2, size[1] // 2) and np.abs(one).max() > 1
    np.testing.assert_allclose(one, other, atol=0.02)


def test_onnx_and_torch_place_alike(models):
    onnx, torch_backend = load_backend("onnx", models, threads=2), load_backend("torch", models, device="cpu")
    assert onnx.can_place and torch_backend.can_place
    pictures = cloudy_frames(15)[:, :HEIGHT, :WIDTH]
    heights = np.array([-0.5, -0.3, 0.2, 0.5])
    found = []
    for backend in (onnx, torch_backend):
        beat = backend.see_beat(pictures[:12], heights)
        seen, single = backend.place(pictures, beat), backend.place(pictures[14:], beat)
        found.append(np.stack((seen.places, seen.doubts)))
        np.testing.assert_allclose(single.places, seen.places[14:], atol=1e-4)
        np.testing.assert_allclose(single.doubts, seen.doubts[14:], atol=1e-4)
    assert found[0].shape == (2, 15, 4, 2)
    np.testing.assert_allclose(*found, atol=1e-4)


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_weights_without_placenet_leave_the_track_where_it_is(models, tmp_path, name):
    for file in models.iterdir():
        if file.name not in ("placenet.pt", "beat.onnx", "placer.onnx"):
            shutil.copyfile(file, tmp_path / file.name)
    options = {"device": "cpu"} if name == "torch" else {"threads": 1}
    whole, without = (load_backend(name, folder, **options) for folder in (models, tmp_path))
    assert whole.can_place and not without.can_place
    made = simulate_clip(VALIDATION_SEED, frame_count=13)
    clip = exact_case("phantom", made.video, made.points, made.phase, made.times_s, made.mm_per_px).clip
    expected = track_clip(clip, whole, placement=False).points_px
    np.testing.assert_allclose(track_clip(clip, without).points_px, expected, atol=1e-9)
    assert np.abs(track_clip(clip, whole).points_px - expected).max() > 0.1


def test_only_what_a_training_changed_is_exported_again(models, tmp_path):
    folder = shutil.copytree(models, tmp_path / "models")
    torch.manual_seed(5)
    save_weights(PlaceNet.from_preset("small"), folder / "placenet.pt")
    assert export_models(folder, "placenet") < 0.05
    written = [
        path.name for path in folder.iterdir() if path.read_bytes() != (models / path.name).read_bytes()
    ]
    assert sorted(written) == ["beat.onnx", "placenet.pt", "placer.onnx"]


def test_an_unknown_network_is_not_exported(models):
    with pytest.raises(ValueError, match="no network is called 'flownet'; choose sknet"):
        export_models(models, "flownet")


def test_half_of_placenet_is_not_enough(models, tmp_path):
    for half, other in (("placer.onnx", "beat.onnx"), ("beat.onnx", "placer.onnx")):
        folder = tmp_path / half
        folder.mkdir()
        for file in (*NEEDED, half):
            shutil.copyfile(models / file, folder / file)
        with pytest.raises(ModelError, match=f"{other} is missing"):
            load_backend("onnx", folder)


def test_a_placenet_that_does_not_tell_its_doubts_is_of_another_version(models, tmp_path):
    folder = shutil.copytree(models, tmp_path / "before")
    graph = onnx.load(folder / "placer.onnx")
    del graph.graph.output[1]
    onnx.save(graph, folder / "placer.onnx")
    with pytest.raises(ModelError, match=r"placer.onnx is of another version"):
        load_backend("onnx", folder)


def test_tissues_are_those_of_the_network(networks):
    frames = cloudy_frames(2)
    contexts = [temporal_context(frames)] * 2
    with torch.no_grad():
        shown = torch.from_numpy(frames)[:, None] / 255, torch.from_numpy(np.stack(contexts))
        logits = networks[0].forward_with_aids(*shown)[1]
    certainty, label = logits.softmax(1).max(1)
    seen = TorchBackend(*networks).label(frames, contexts)
    assert (seen[:, 0] == label.numpy()).mean() > 0.999
    np.testing.assert_allclose(seen[:, 1] / 255, certainty, atol=0.006)


@pytest.fixture(scope="module")
def labelled_apart(models, tmp_path_factory):
    """The same weights, and another network that labels the tissue."""
    folder = shutil.copytree(models, tmp_path_factory.mktemp("apart") / "models")
    other = random_sknet(2)
    save_weights(other, folder / "tissue.pt")
    assert export_models(folder, "tissue") < 0.05
    return folder, other


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_tissue_has_weights_of_its_own_where_there_are_any(models, networks, labelled_apart, name):
    folder, other = labelled_apart
    options = {"device": "cpu"} if name == "torch" else {"threads": 1}
    apart, together = (load_backend(name, path, **options) for path in (folder, models))
    frames = cloudy_frames(3, seed=4)
    contexts = [temporal_context(frames)] * 3
    expected = TorchBackend(other, networks[1]).label(frames, contexts)
    assert (apart.label(frames, contexts)[:, 0] == expected[:, 0]).mean() > 0.999
    assert (together.label(frames, contexts)[:, 0] == expected[:, 0]).mean() < 0.9
    np.testing.assert_array_equal(
        apart.detect(frames, contexts).points, together.detect(frames, contexts).points
    )
    if name == "torch":
        assert set(apart.models) == {*together.models, "tissue.pt"}
    else:
        assert [file for file in apart.models if apart.models[file] != together.models[file]] == [
            "tissue.onnx"
        ]


def test_a_network_without_labels_says_so(networks, models, tmp_path):
    sknet = SKNet.from_preset("small").eval()
    folder = shutil.copytree(models, tmp_path / "models")
    export_labeller(sknet, folder)
    frames = cloudy_frames(2)
    for silent in (TorchBackend(sknet, networks[1]), OnnxBackend(folder, threads=1)):
        tissue = silent.label(frames, [temporal_context(frames)] * 2)
        assert tissue.shape == (2, 2, 56, 56) and tissue.dtype == np.uint8 and not tissue.any()


def test_files_of_another_version_give_one_sentence(models, tmp_path):
    for name in NEEDED:
        (tmp_path / name).write_bytes((models / "descriptor.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"detector\.onnx is of another version"):
        load_backend("onnx", tmp_path)


def test_detection_does_not_depend_on_the_batch_or_the_threads(models):
    frames = cloudy_frames(5, seed=1)
    whole = load_backend("onnx", models, threads=2).detect(frames)
    single = load_backend("onnx", models, threads=1)
    for i in range(5):
        np.testing.assert_allclose(single.detect(frames[i : i + 1]).points[0], whole.points[i], atol=1e-3)


def test_the_detector_graph_takes_batches(models):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(models / "detector.onnx", providers=["CPUExecutionProvider"])
    frames = cloudy_frames(3)
    contexts = np.stack([temporal_context(frames)] * 3)
    batch = session.run(["points"], {"frames": frames, "contexts": contexts})[0]
    single = session.run(["points"], {"frames": frames[2:], "contexts": contexts[2:]})[0]
    np.testing.assert_allclose(batch[2:], single, atol=0.01)


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_each_frame_is_seen_in_its_own_context(models, name):
    backend = load_backend(name, models, **({"device": "cpu"} if name == "torch" else {"threads": 1}))
    frames = cloudy_frames(2)
    contexts = [temporal_context(cloudy_frames(3, seed=i)) for i in (5, 6)]
    both = backend.detect(frames, contexts)
    swapped = backend.detect(frames, contexts[::-1])
    alone = backend.detect(frames[1:], contexts[1:])
    np.testing.assert_allclose(both.peak[1:], alone.peak, atol=1e-4)
    assert np.abs(both.peak - swapped.peak).max() > 1e-4
    unknown = backend.detect(frames).peak
    np.testing.assert_allclose(
        unknown, backend.detect(frames, [np.zeros_like(contexts[0])] * 2).peak, atol=1e-5
    )


def test_exported_files_hold_no_paths_of_this_machine(models):
    for name in NEEDED:
        content = (models / name).read_bytes()
        assert b'File "' not in content and b"site-packages" not in content


def test_models_are_identified_by_their_hash(models):
    backend = load_backend("onnx", models)
    assert set(backend.models) == {*NEEDED, "beat.onnx", "placer.onnx"}
    assert all(len(value) == 64 for value in backend.models.values())
    assert set(load_backend("torch", models, device="cpu").models) == {
        "sknet.pt",
        "trnet.pt",
        "placenet.pt",
    }


def test_bfloat16_stays_near(networks):
    frames = cloudy_frames(2)
    exact, rough = (TorchBackend(*networks, bfloat16=on).detect(frames) for on in (False, True))
    np.testing.assert_allclose(rough.peak, exact.peak, rtol=0.05, atol=0.02)


def test_missing_and_damaged_weights_give_one_sentence(models, tmp_path):
    with pytest.raises(ModelError, match=r"detector\.onnx is missing"):
        load_backend("onnx", tmp_path)
    for name in NEEDED:
        (tmp_path / name).write_bytes((models / name).read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"detector\.onnx is damaged"):
        load_backend("onnx", tmp_path)
    with pytest.raises(ModelError, match="choose onnx or torch"):
        load_backend("tensorflow", models)
    with pytest.raises(ModelError, match="use the torch engine"):
        load_backend("onnx", models, device="cuda")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="no device cuda"):
            load_backend("torch", models, device="cuda")
