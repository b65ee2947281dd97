"""
The Unix socket where the nodes that the edge starts on its own machine dial in.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from brxy.edge.endpoints import endpointText, listen
from brxy.errors import UsageError

__all__ = ["NodeSocket"]

_NAME = "nodes.sock"

# Bytes of a socket's path, see unix(7).
_LONGEST = 107


class NodeSocket:
    """
    A socket of this edge only, to which only the edge's user can connect.  It is in the state
    folder, so nodes of an edge that was killed can find the next edge.  Without a state folder, or
    if no socket can be made in it, it is in a temporary folder.
    """

    def __init__(self, state_dir: str | None) -> None:
        """
        @param state_dir: the state folder, which this edge has locked.
        """
        self._kept = None if state_dir is None else Path(os.path.abspath(state_dir))
        self._temporary: Path | None = None

    def open(self, reactor: Any, factory: IProtocolFactory) -> IListeningPort:
        """
        Open the port.

        @raise UsageError: no folder can have the socket.
        """
        if self._kept is not None and _isShort(self._kept):
            # The disk may be full, or the folder on one that knows no sockets.
            with suppress(UsageError, OSError):
                # What is there was left by an edge that was killed.
                (self._kept / _NAME).unlink(missing_ok=True)
                return _listen(reactor, self._kept, factory)
        self._temporary = _makeFolder()
        return _listen(reactor, self._temporary, factory)

    def remove(self) -> None:
        """
        The port is closed: remove what it leaves.
        """
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _isShort(folder: Path) -> bool:
    return len(os.fsencode(folder / _NAME)) <= _LONGEST


def _makeFolder() -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        if not _isShort(folder):
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="brxy-", dir="/tmp"))
    except OSError as error:
        raise UsageError(
            f"no folder for the socket of nodes: {error.strerror}; give --node-port"
        ) from None
    return folder


def _listen(reactor: Any, folder: Path, factory: IProtocolFactory) -> IListeningPort:
    where = endpointText(os.fspath(folder / _NAME))
    return listen(reactor, f"unix:{where}:mode=600:lockfile=0", factory, option="--node-port")
