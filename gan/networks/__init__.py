"""Networks for many seeds at once: the parameters of all of them are one tensor (S, size)."""

from gan.networks.architecture import Architecture
from gan.networks.chain import Network
from gan.networks.perceptron import Perceptron

__all__ = ["Architecture", "Network", "Perceptron"]
