"""One self-contained HTML file: no scripts, no network, readable on a phone and on paper."""

from divergences.report.comparison import comparison_report, verdict
from divergences.report.document import Report, Section, picture, sections_of, table, text

__all__ = [
    "Report",
    "Section",
    "comparison_report",
    "picture",
    "sections_of",
    "table",
    "text",
    "verdict",
]
