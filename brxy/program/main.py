"""
Runs a twistd plugin for the short command lines, C{python -m brxy.edge} and the like.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run as runTwistd

__all__ = ["run"]


def run(plugin: str) -> None:
    """
    Run twistd in the foreground, without a pidfile, with this plugin and the arguments of
    this process.
    """
    sys.argv[0:1] = ["twistd", "--nodaemon", "--pidfile=", plugin]
    runTwistd()
