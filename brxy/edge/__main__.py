"""
C{python -m brxy.edge}: twistd -n brxy-edge, shorter to type.
"""

from __future__ import annotations

from brxy.program.main import run

__all__ = ["main"]


def main() -> None:
    """
    Run an edge with the arguments of this process.
    """
    run("brxy-edge")


if __name__ == "__main__":
    main()
