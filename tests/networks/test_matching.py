"""Motion read off a cost volume."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from echo_keypoints.networks.matching import local_mean


@pytest.mark.parametrize(("size", "side"), [((9, 13), 5), ((6, 4), 7), ((3, 2), 11)])
def test_local_means_are_those_of_pooling(size, side):
    maps = torch.randn(2, 3, *size, generator=torch.manual_seed(0), dtype=torch.float64)
    pooled = F.avg_pool2d(maps, side, 1, side // 2, count_include_pad=False)
    torch.testing.assert_close(local_mean(maps, side), pooled)


def test_gradients_of_local_means():
    maps = torch.randn(1, 2, 5, 4, generator=torch.manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: local_mean(x, 3), (maps,))
