"""
C{brxy version}.
"""

from __future__ import annotations

from argparse import Namespace

from brxy import __version__
from brxy.ctl.exitstatus import DONE

__all__ = ["show"]


def show(given: Namespace) -> int:
    """
    Print the version.
    """
    print(f"brxy {__version__}")
    return DONE
