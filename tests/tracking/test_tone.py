import numpy as np
import torch
from oracle import OracleBackend, coded_clip

from echo_keypoints.networks import SKNet, TRNet
from echo_keypoints.tracking import open_session
from echo_keypoints.tracking.backends.detector import Detector
from echo_keypoints.tracking.context import temporal_context
from echo_keypoints.tracking.tone import GAMMA, lifted
from echo_keypoints.training.export import cloudy_frames
from echo_keypoints.training.objective import grey, lifted_grey


def test_dark_greys_are_lifted_by_a_power_and_order_is_kept():
    levels = np.arange(256, dtype=np.uint8)
    out = lifted(levels)
    np.testing.assert_allclose(out / 255, (levels / 255.0) ** GAMMA, atol=0.5 / 255)
    assert out.dtype == np.uint8 and (out[0], out[255]) == (0, 255) and (np.diff(out.astype(int)) >= 0).all()
    np.testing.assert_array_equal(lifted(levels.reshape(4, 8, 8)), out.reshape(4, 8, 8))


class Witness(OracleBackend):
    """Remembers what it was shown."""

    def detect(self, frames, contexts=None, progress=None):
        self.detected_in = frames, contexts
        return super().detect(frames, contexts, progress)

    def label(self, frames, contexts):
        self.labelled_in = frames, contexts
        return super().label(frames, contexts)


def test_contexts_are_lifted_for_the_detector_and_not_for_the_labels_of_tissue():
    clip, backend = coded_clip(40), Witness(40)
    with open_session(clip, backend) as session:
        raw = session.spool.read(0, 40)
    frames, contexts = backend.detected_in
    np.testing.assert_array_equal(frames, raw)
    assert len(contexts) == 40
    assert abs(contexts[0][0].mean() - temporal_context(lifted(raw))[0].mean()) < 0.01
    frames, contexts = backend.labelled_in
    assert len(frames) == len(contexts) == 24
    np.testing.assert_array_equal(frames[[0, -1]], raw[[0, -1]])
    assert contexts[0][0].mean() < temporal_context(lifted(raw))[0].mean() - 0.05


def test_sknet_is_shown_lifted_frames_and_trnet_those_that_were_read():
    torch.manual_seed(0)
    sknet, trnet = SKNet.from_preset("small").eval(), TRNet.from_preset("small").eval()
    frames = torch.from_numpy(cloudy_frames(2))
    contexts = torch.zeros(2, 2, 224, 224)
    with torch.no_grad():
        _, peak, _, *maps = Detector(sknet, trnet)(frames, contexts)
        heatmaps, features = sknet.features(torch.from_numpy(lifted(frames.numpy()))[:, None] / 255, contexts)
        expected = trnet.encode(frames[:, None] / 255, features)
    torch.testing.assert_close(peak, heatmaps.amax((2, 3)))
    for found, wanted in zip(maps, expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_trnet_is_trained_on_features_of_lifted_frames():
    image = torch.randint(0, 256, (1, 4, 1, 32, 32), dtype=torch.uint8)
    table = torch.from_numpy(lifted(np.arange(256, dtype=np.uint8)))
    torch.testing.assert_close(lifted_grey(image), grey(table[image.long()]))
