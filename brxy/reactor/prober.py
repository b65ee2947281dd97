"""
Finds out whether ports could be opened, without keeping them open.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.error import CannotListenError

__all__ = ["Prober"]

# Seconds for the server of a Unix socket to take a connection.
_PATIENCE = 1.0


class Prober:
    """
    In place of a reactor: raises the errors with which a reactor's ports fail to open, and
    opens none.
    """

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        """
        See L{twisted.internet.interfaces.IReactorTCP}.
        """
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # As Twisted's own ports do.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((interface, port))
                probe.listen(1)
        except OSError as error:
            raise CannotListenError(interface, port, error) from None

    def listenUNIX(
        self,
        address: str,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> None:
        """
        See L{twisted.internet.interfaces.IReactorUNIX}.
        """
        folder = os.path.dirname(os.path.abspath(address))
        try:
            os.stat(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(_PATIENCE)
                taken = probe.connect_ex(address) == 0
            if taken:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        except OSError as error:
            raise CannotListenError(None, address, error) from None
