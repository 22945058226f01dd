"""How names that others chose, and numbers, are written: the same in HTML, in pictures and in the terminal."""

import math
import unicodedata
from typing import Any

LONGEST = 60


def plain(value: Any, limit: int = LONGEST) -> str:
    r"""`value` as one line without control characters, cut to `limit`: what may be shown to a person.

    Line breaks become spaces; escape sequences, directional overrides and other invisible marks are dropped.

    >>> plain("a\x1b[31mred\nb")
    'a[31mred b'
    """
    spaced = "".join(" " if c in "\n\r\t\v\f\u2028\u2029\x85" else c for c in str(value))
    text = "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def number(value: float | None, digits: int = 4) -> str:
    """A number for reading: significant digits, a true minus sign, and an en dash for what is not known.

    >>> number(12345.678), number(-0.00012346), number(float("inf")), number(None)
    ('12346', '−0.0001235', '∞', '–')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    size = abs(value)
    written = f"{value:.0f}" if 10**digits <= size < 10**7 else f"{value:.{digits}g}"
    return written.replace("inf", "∞").replace("-", "−")


def spreadsheet(value: str) -> str:
    """A text cell for CSV that no spreadsheet takes for a formula (CWE-1236).

    >>> spreadsheet("=1+1"), spreadsheet("age")
    ("'=1+1", 'age')
    """
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
