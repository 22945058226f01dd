"""Sphinx settings: Markdown pages, the API from its docstrings, every warning an error (`make docs`)."""

project = "divergences"
author = "the divergences authors"
copyright = "2026, the divergences authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "divergences"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
suppress_warnings = ["myst.xref_missing"]  # docs/claims.md links to test files, which are not pages
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # names in docstrings are written as code, not as cross-references
myst_heading_anchors = 3
