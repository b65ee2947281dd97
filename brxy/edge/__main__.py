"""
C{python -m brxy.edge}: twistd -n brxy-edge, shorter to type.
"""

from __future__ import annotations

from brxy.program.main import run

if __name__ == "__main__":
    run("brxy-edge")
