"""
C{brxy dashboard}: the dashboard of an edge in a browser.
"""

from __future__ import annotations
