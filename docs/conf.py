"""How the pages are built: `./lab test` builds them without the network and takes a warning for a failure."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.ext import labs  # noqa: E402 - from the checkout, whose pages are built

labs.write()

project = "vm-vs-container"
copyright = "the authors of vm-vs-container, Apache-2.0"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "sphinx_click", "docs.ext.generated", "docs.ext.guides"]
exclude_patterns = ["_build", "ext"]
nitpicky = True

html_theme = "furo"
html_title = "VMs vs containers"
html_static_path = ["static"]
html_css_files = ["house.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"source_edit_link": ""}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid", "check"]
