import copy

import cv2
import numpy as np
import torch

from echo_keypoints.training.classical_flow import DisFlow


def shifted_speckle(dx, dy):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.random((96, 96), np.float32), (0, 0), 2)
    noise = (noise - noise.min()) / np.ptp(noise)
    moved = cv2.warpAffine(
        noise, np.array([[1, 0, dx], [0, 1, dy]], np.float64), (96, 96), borderMode=cv2.BORDER_REFLECT
    )
    return (torch.from_numpy(x)[None, None] for x in (noise, moved))


def test_it_finds_a_sub_pixel_shift_both_ways():
    reference, target = shifted_speckle(2.5, -1.25)
    (forward,), (backward,) = DisFlow().pyramid_both_ways(reference, target)
    assert forward.shape == (1, 2, 96, 96)
    inner = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    torch.testing.assert_close(forward[inner].mean((0, 2, 3)), torch.tensor([2.5, -1.25]), atol=0.1, rtol=0)
    torch.testing.assert_close(backward[inner].mean((0, 2, 3)), torch.tensor([-2.5, 1.25]), atol=0.1, rtol=0)


def test_it_can_be_copied_as_modules_are_in_training():
    assert copy.deepcopy(DisFlow(3)).zoom == 3
