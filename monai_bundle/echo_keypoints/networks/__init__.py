"""The three networks of the method and PlaceNet, as plain ``torch.nn.Module`` classes."""

from .flownet import FlowNet
from .placenet import PlaceNet
from .sknet import SKNet
from .trnet import TRNet
from .weights import load_weights, save_weights

__all__ = ["FlowNet", "PlaceNet", "SKNet", "TRNet", "load_weights", "save_weights"]
