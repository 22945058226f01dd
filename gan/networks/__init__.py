"""Networks for many seeds at once: the parameters of all of them are one tensor (S, size)."""

from gan.networks.perceptron import Perceptron

__all__ = ["Perceptron"]
