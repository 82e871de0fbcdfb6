"""Sphinx: the pages of this folder as a site. `make docs` builds it; a warning is an error there."""  # noqa: INP001

from importlib.metadata import version as version_of
from pathlib import Path

project = "pytest-energy"
author = "The pytest-energy contributors"
version = release = version_of("pytest-energy")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "pytest-energy"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).parent / "static" / "search_score.js")

# Two hyphens stay two hyphens: an option that is copied from a page must work.
smartquotes = False

# Links to headings, `statistics.md#budgets`, are checked down to this level.
myst_heading_anchors = 3

nitpicky = True
