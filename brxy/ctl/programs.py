"""
C{brxy edge}, C{brxy node} and C{brxy pki}: the programs of brxy, in this process; and their
version.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from brxy import __version__
from brxy.ctl.exitstatus import DONE

__all__ = ["edge", "node", "pki", "version"]


def edge(arguments: Sequence[str]) -> int:
    """
    Run an edge in the foreground.
    """
    from brxy.edge.__main__ import main

    sys.argv[1:] = arguments
    main()
    return DONE


def node(arguments: Sequence[str]) -> int:
    """
    Run a node in the foreground.
    """
    from brxy.node.__main__ import main

    sys.argv[1:] = arguments
    main()
    return DONE


def pki(arguments: Sequence[str]) -> int:
    """
    Make certificates.
    """
    from brxy.pki import main

    main(arguments)
    return DONE


def version(given: Namespace) -> int:
    """
    Print the version.
    """
    print(f"brxy {__version__}")
    return DONE
