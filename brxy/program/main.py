"""
The short form of the command lines.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run as runTwistd

__all__ = ["run"]


def run(plugin: str) -> None:
    """
    Run a twistd plugin in the foreground, with this process's arguments.
    """
    sys.argv[0:1] = ["twistd", "--nodaemon", "--pidfile=", plugin]
    runTwistd()
