"""
How Sphinx builds these pages.
"""

import brxy

project = "brxy"
author = "The brxy developers"
copyright = author
release = version = brxy.__version__

html_theme = "alabaster"
exclude_patterns = ["_build"]
nitpicky = True
