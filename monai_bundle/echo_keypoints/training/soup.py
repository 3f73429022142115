"""A soup of two trainings: the weighted mean of their weights (Wortsman et al. 2022).

Networks that were fine-tuned from the same start on different phantoms often lie in one basin; their mean then errs
less on clips of yet another kind than either.
``python -m echo_keypoints.training.soup before.pt after.pt 0.6 -o sknet.pt``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import SKNet, load_weights, save_weights


def soup(before: SKNet, after: SKNet, share: float) -> SKNet:
    """Mix two networks of the same architecture, running statistics included.

    Args:
        before, after: the networks; `after` is changed and given back. It may have more heads, which stay as they are.
        share: of `after`, 0 to 1.

    Raises:
        ModelError: they are of different architectures.
        ValueError: `share` is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share must be from 0 to 1, not {share}")
    old, new = before.state_dict(), after.state_dict()
    if any(name not in new or new[name].shape != value.shape for name, value in old.items()):
        raise ModelError("The two networks are of different presets; mix networks of one preset.")
    for name, value in old.items():
        if value.is_floating_point():
            new[name] = (1 - share) * value + share * new[name]
    after.load_state_dict(new)
    return after


def main(arguments: Sequence[str] | None = None) -> None:
    """Mix the weights of two trainings of SK-net."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("before", type=Path, help="weights of the one")
    parser.add_argument("after", type=Path, help="weights of the other")
    parser.add_argument("share", type=float, help="of the other, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write")
    options = parser.parse_args(arguments)
    mixed = soup(load_weights(options.before, SKNet), load_weights(options.after, SKNet), options.share)
    save_weights(mixed, options.output)


if __name__ == "__main__":
    main()
