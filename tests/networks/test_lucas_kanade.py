import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.networks.lucas_kanade import Gaussian, LucasKanadeFlow
from echo_keypoints.networks.sampling import sample_points


def texture(seed=0, size=128):
    """Speckle of a few pixels, (S, S) in 0..1."""
    noise = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 1, size, size)).astype(np.float32))
    smooth = Gaussian(1.5)(noise)[0, 0].numpy()
    return 0.5 + 0.15 * smooth / smooth.std()


def moved(picture, mapping):
    """The picture after its points p have gone to mapping(p): sampled with splines, not as the network samples."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(float)
    px, py = mapping(x, y)  # where the content of this pixel comes from
    return map_coordinates(picture, [py, px], order=3, mode="nearest")


def flow_of(before, after):
    pair = [torch.from_numpy(np.ascontiguousarray(f)).float()[None, None] for f in (before, after)]
    with torch.no_grad():
        return LucasKanadeFlow()(*pair)[0].numpy()


def inner(flow):
    return flow[:, 12:-12, 12:-12]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, -0.3), (2.6, 1.2), (-6.5, 4.25)])
def test_shifts_are_found(shift):
    picture = texture()
    found = inner(flow_of(picture, moved(picture, lambda x, y: (x - shift[0], y - shift[1]))))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), shift, atol=0.05)
    assert np.abs(found - np.array(shift)[:, None, None]).max() < 0.4


def test_contraction_is_found_at_every_second_pixel():
    picture, scale, centre = texture(1), 0.96, 63.5
    found = flow_of(
        picture, moved(picture, lambda x, y: ((x - centre) / scale + centre, (y - centre) / scale + centre))
    )
    where = np.arange(64) * 2 + 0.5  # a sample of the flow is the mean of two pixels
    expected = (scale - 1) * (where - centre)
    np.testing.assert_allclose(found[0, 12:-12, 12:-12].mean(axis=0), expected[12:-12], atol=0.1)
    np.testing.assert_allclose(found[1, 12:-12, 12:-12].mean(axis=1), expected[12:-12], atol=0.1)


def test_gain_and_depth_compensation_do_not_matter():
    picture = texture(2)
    after = moved(picture, lambda x, y: (x - 1.5, y))
    ramp = np.linspace(0.6, 1.0, 128)[:, None]
    found = inner(flow_of(picture, after * ramp * 0.8 + 0.1))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), (1.5, 0), atol=0.1)


def test_nothing_to_hold_on_to_means_no_motion():
    blank = np.full((64, 64), 0.4)
    assert np.abs(flow_of(blank, blank)).max() == 0


def test_landmarks_of_a_phantom_are_followed_to_the_next_frame():
    clip = simulate_clip(VALIDATION_SEED, frame_count=16, fps=40, style="acoustic")
    frames = torch.from_numpy(clip.video).float()[:, None] / 255
    with torch.no_grad():
        flow = LucasKanadeFlow()(frames[:-1], frames[1:])
    points = torch.from_numpy(clip.points[:-1]).float()
    step = sample_points(flow, (points + 0.5) / 2 - 0.5).numpy()
    truth = np.diff(clip.points, axis=0)
    error = np.linalg.norm(step - truth, axis=-1).mean()
    assert error < 0.5 * np.linalg.norm(truth, axis=-1).mean()
    assert error < 0.5
