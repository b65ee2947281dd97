"""
C{python -m brxy.node}: C{twistd -n brxy-node}, but the app is started first.
"""

from __future__ import annotations

import os
import sys

from brxy.node.early import EARLY, plainLine

__all__ = ["main"]


def main() -> None:
    """
    Run a node with the arguments of this process.
    """
    if line := plainLine(sys.argv[1:], os.environ):
        EARLY.start(line.command, line.route, line.port, os.environ)

    # This loads Twisted, so it must come after the app was started.
    from brxy.program.main import run

    run("brxy-node")


if __name__ == "__main__":
    main()
