"""The errors of both packages.

    ValueError
      DataError               the input cannot be used as given
        FileFormatError       a file is not what its name or header says
        NotNormalizedError    masses do not add up to what is required
    RuntimeError
      ConvergenceError        a solver stopped early; `.result` still carries a true bracket

Every message says what was required, what was received, and the remedy.
"""

from typing import Any


class DataError(ValueError):
    """The input cannot be used as given."""


class FileFormatError(DataError):
    """A file is not what its name or its header says."""


class NotNormalizedError(DataError):
    """Masses do not add up to what is required."""


class ConvergenceError(RuntimeError):
    """A solver missed its tolerance, time or iteration limit.

    `result` is what it had reached: its bracket `lower <= optimal cost <= upper` is still true.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type, tuple[str, Any]]:
        return type(self), (str(self), self.result)
