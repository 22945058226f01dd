"""Published comparisons as presets of `gan bench`, one module each that holds a literal named PROTOCOL."""

from importlib import import_module

from divergences._checks import choice
from gan.bench.protocol import Protocol

PRESETS = (
    "veegan", "pacgan", "unrolled", "paired", "wgan-gp-toy", "fgan", "robustness", "stacked-digits", "images",
)  # fmt: skip
"""The names of all; the module of each, with underscores, is imported when it is asked for."""


def protocol(name: str) -> Protocol:
    """A preset by name.

    >>> protocol("veegan").cells[0].data
    'ring8-veegan'
    """
    return import_module(f"gan.bench.protocols.{choice(name, PRESETS, 'protocol').replace('-', '_')}").PROTOCOL
