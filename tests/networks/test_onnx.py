"""TR-net's three steps leave as ONNX graphs with a free number of rows, and give the same numbers."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from echo_keypoints.networks import TRNet

SIZE, STRIDES, WIDTHS = 64, (1, 2, 4, 8), (8, 8, 16, 32)


class Step(nn.Module):
    """One method of a network as the `forward` of a module."""

    def __init__(self, network, method):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, *inputs):
        return getattr(self.network, self.method)(*inputs)


def inputs(network, windows):
    generator = torch.Generator().manual_seed(windows)
    count = windows * network.window
    frames = torch.rand(count, 1, SIZE, SIZE, generator=generator)
    features = tuple(
        torch.rand(count, w, SIZE // s, SIZE // s, generator=generator)
        for w, s in zip(WIDTHS, STRIDES, strict=True)
    )
    points = torch.rand(windows, network.window, 4, 2, generator=generator) * (SIZE + 20) - 10
    maps = network.encode(frames, features)
    reference = tuple(m[:: network.window] for m in maps)
    descriptors = network.describe(reference, points[:, 0])
    return {
        "encode": (frames, features),
        "describe": (reference, points[:, 0]),
        "forward": (maps, points, points[:, 0], descriptors),
    }


def flatten(values):
    return [v for value in values for v in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize("method", ["encode", "describe", "forward"])
def test_same_numbers_for_any_number_of_rows(method, tmp_path):
    torch.manual_seed(0)
    network = TRNet.from_preset("small").eval()
    nn.init.normal_(network.step.weight, std=0.1)
    step, path = Step(network, method).eval(), str(tmp_path / "step.onnx")
    with torch.no_grad():
        example = inputs(network, 2)[method]
        names = [f"in{i}" for i in range(len(flatten(example)))]
        axes = {name: {0: f"rows_{name}"} for name in names}
        torch.onnx.export(
            step, example, path, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for windows in (1, 3):
            arguments = inputs(network, windows)[method]
            feed = {n: v.numpy() for n, v in zip(names, flatten(arguments), strict=True)}
            # The graph has no input for features that the preset leaves out.
            feed = {i.name: feed[i.name] for i in session.get_inputs()}
            expected = step(*arguments)
            for got, want in zip(session.run(None, feed), flatten([expected]), strict=True):
                np.testing.assert_allclose(got, want.numpy(), atol=1e-3)
