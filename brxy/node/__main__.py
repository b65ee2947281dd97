"""
C{python -m brxy.node}: C{twistd -n brxy-node}, but the app is started first.
"""

from __future__ import annotations

import os
import sys

from brxy.node.early import EARLY, plainLine

if __name__ == "__main__":
    if line := plainLine(sys.argv[1:], os.environ):
        EARLY.start(line.command, line.route, line.port, os.environ)

    # This loads Twisted, so it must come after the app was started.
    from brxy.program.main import run

    run("brxy-node")
