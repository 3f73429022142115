"""The three networks of the method, as plain ``torch.nn.Module`` classes."""

from .flownet import FlowNet
from .sknet import SKNet
from .trnet import TRNet
from .weights import load_weights, save_weights

__all__ = ["FlowNet", "SKNet", "TRNet", "load_weights", "save_weights"]
