"""
The Unix socket of the admin API in the state folder.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from brxy.edge.endpoints import endpointText
from brxy.errors import UsageError

__all__ = ["clearSocket", "socketEndpoint"]

_NAME = "admin.sock"

# Bytes of a socket's path, see unix(7).
_LONGEST = 107


def socketEndpoint(state_dir: str) -> str:
    """
    @return: the server endpoint of the socket in a state folder.
    @raise UsageError: the path is too long for a socket.
    """
    path = Path(os.path.abspath(state_dir), _NAME)
    if len(os.fsencode(path)) > _LONGEST:
        raise UsageError(f"{path}: the path is too long for a socket; give --admin unix:PATH")
    return f"unix:{endpointText(os.fspath(path))}:mode=600:lockfile=0"


def clearSocket(path: str) -> None:
    """
    Remove a socket that an edge has left which was killed.

    @raise UsageError: a process listens there, or it can't be removed.
    """
    try:
        if not Path(path).is_socket():
            return
        with socket.socket(socket.AF_UNIX) as probing:
            probing.settimeout(1.0)
            probing.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        _remove(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    else:
        raise UsageError(f"{path}: another process listens there")


def _remove(path: str) -> None:
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
