"""
How Sphinx builds these pages.
"""

import sys
from pathlib import Path

import brxy

sys.path.append(str(Path(__file__).parent))
from packages_page import setup  # noqa: E402, F401

project = "brxy"
author = "The brxy developers"
copyright = author
release = version = brxy.__version__

html_theme = "furo"
html_title = f"brxy {release}"
exclude_patterns = ["_build"]
nitpicky = True
# Blocks without a language are diagrams, logs and command lines.
highlight_language = "none"
