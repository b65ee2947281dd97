"""
C{python -m brxy.node}: twistd -n brxy-node, shorter to type.
"""

from __future__ import annotations

from brxy.main import run

if __name__ == "__main__":
    run("brxy-node")
