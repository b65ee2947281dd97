"""
The dashboard: the page that shows an edge in a browser.
"""

from __future__ import annotations
