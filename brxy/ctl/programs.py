"""
C{brxy edge}, C{brxy node} and C{brxy pki}: the programs of brxy, in this process; and their
version, and a check of their configuration.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from brxy import __version__
from brxy.ctl.exitstatus import DONE, FAILED

__all__ = ["check", "edge", "node", "pki", "version"]


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


def check(given: Namespace) -> int:
    """
    Print what is wrong with a configuration file, a line for each fault.
    """
    from brxy.ctl.asking.showing import printJSON
    from brxy.edge.config.files.loading import checkFile

    faults = checkFile(given.file)
    if given.json:
        printJSON({"file": given.file, "faults": faults})
    elif faults:
        print(*faults, sep="\n", file=sys.stderr)
    else:
        print(f"{given.file}: no faults")
    return FAILED if faults else DONE
