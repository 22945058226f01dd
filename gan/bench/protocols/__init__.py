"""Published comparisons as presets of `gan bench`, one module each that holds a literal named PROTOCOL."""

from importlib import import_module

from divergences._checks import choice
from gan.bench.protocol import Protocol

MODULES = {
    "veegan": "veegan",
    "pacgan": "pacgan",
    "unrolled": "unrolled",
    "paired": "paired",
    "wgan-gp-toy": "wgan_gp_toy",
    "fgan": "fgan",
    "robustness": "robustness",
    "stacked-digits": "stacked",
    "images": "images",
}
"""The module of every preset; imported when it is asked for."""


def protocol(name: str) -> Protocol:
    """A preset by name.

    >>> protocol("veegan").cells[0].data
    'ring8-veegan'
    """
    return import_module(f"gan.bench.protocols.{MODULES[choice(name, MODULES, 'protocol')]}").PROTOCOL
