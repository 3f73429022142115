"""Grow a detector: a wider and deeper network that starts as the same function as a trained smaller one.

Channels that are new read what there is and are read with weights of zero, and blocks that are new add nothing
(Chen et al., Net2Net, ICLR 2016, with zeros in place of copies): training goes on where the small network stopped. A
TR-net that reads the detector's features is widened by zeros likewise and stays as it is.
``python -m echo_keypoints.training.growth small.pt -o large.pt --widths 8 16 32 64 64 --blocks 1 1 3 4``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import SKNet, TRNet, load_weights, save_weights
from echo_keypoints.networks.sknet import ResidualBlock


def grown(small: SKNet, widths: Sequence[int], blocks: Sequence[int]) -> SKNet:
    """Build a larger `SKNet` that does what `small` does.

    Args:
        small: trained network.
        widths, blocks: of the larger one (see `SKNet`), nowhere less than those of `small`.

    Returns:
        The network, in training mode. What its new channels hold comes from torch's random state.

    Raises:
        ModelError: it would be smaller somewhere.
    """
    assert small.preset is not None
    large = SKNet.from_preset(
        small.preset, **{**small.overrides, "widths": tuple(widths), "blocks": tuple(blocks)}
    )
    for module in large.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.second[1].weight)  # type: ignore[arg-type]
    _fill(large, small)
    return large


def widened(refiner: TRNet, feature_widths: Sequence[int]) -> TRNet:
    """Let a `TRNet` read features with more channels, of which it ignores the new ones.

    Args:
        refiner: trained network.
        feature_widths: channels of the detector's features (`SKNet.widths`).

    Raises:
        ModelError: there would be fewer channels than now.
    """
    assert refiner.preset is not None
    wide = TRNet.from_preset(refiner.preset, **{**refiner.overrides, "feature_widths": tuple(feature_widths)})
    _fill(wide, refiner)
    return wide


def _fill(large: nn.Module, small: nn.Module) -> None:
    """Lay the values of `small` over the leading channels of `large`; these read the new channels with zeros."""
    values = large.state_dict()
    for name, old in small.state_dict().items():
        new = values.get(name)
        if new is None or any(a < b for a, b in zip(new.shape, old.shape, strict=True)):
            raise ModelError("The larger network must be at least as wide and deep everywhere.")
        values[name] = _over(new, old)
    large.load_state_dict(values)


def _over(new: Tensor, old: Tensor) -> Tensor:
    new = new.clone()
    if new.ndim > 1:  # a bias or a statistic reads nothing
        new[: old.shape[0]] = 0
    new[tuple(map(slice, old.shape))] = old
    return new


def main(arguments: Sequence[str] | None = None) -> None:
    """Grow a trained SK-net, or let a TR-net read the features of a grown one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("weights", type=Path, help="weights of SK-net, or of TR-net with --features")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write")
    parser.add_argument("--widths", type=int, nargs="+", metavar="N", help="channels of SK-net's streams")
    parser.add_argument("--blocks", type=int, nargs=4, metavar="N", help="blocks of the trunk's streams")
    parser.add_argument("--features", type=int, nargs=4, metavar="N", help="channels that TR-net is to read")
    options = parser.parse_args(arguments)
    if options.features:
        save_weights(widened(load_weights(options.weights, TRNet), options.features), options.output)
    elif options.widths and options.blocks:
        torch.manual_seed(0)
        save_weights(
            grown(load_weights(options.weights, SKNet), options.widths, options.blocks), options.output
        )
    else:
        parser.error("give --widths and --blocks, or --features")


if __name__ == "__main__":
    main()
