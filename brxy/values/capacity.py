"""
How many exchanges an instance takes at once, as a setting.
"""

from __future__ import annotations

from typing import Final

__all__ = ["AUTO", "UNSEEN"]

AUTO: Final = 0
"""The setting C{auto}: the capacity is learned from what the app takes up."""

UNSEEN: Final = 1
"""The capacity of an app that it can't be learned of, since its sockets can't be seen."""
