"""What marks the contestants of another environment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """A call that runs in the environment of the extra `bench`; it imports there what it needs."""

    call: Callable[[], Any]

    def __call__(self) -> Any:
        """What the call returns."""
        return self.call()
