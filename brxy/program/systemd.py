"""
Notifies systemd of the state of a service, see sd_notify(3).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, MutableMapping

from twisted.logger import Logger

__all__ = ["READY", "STOPPING", "notifier"]

READY = "READY=1"
STOPPING = "STOPPING=1"

_log = Logger()


def notifier(environ: MutableMapping[str, str]) -> Callable[[str], None]:
    """
    The function that sends a state to systemd.

    @param environ: the environment, in which systemd passes the address.  It is removed
        from there, as are the names of inherited sockets, so that no child process finds
        them.
    @return: sends a state; does nothing if systemd has not passed an address.
    """
    # An @ stands for the zero byte at the start of an abstract address.
    path = re.sub("^@", "\0", environ.pop("NOTIFY_SOCKET", ""))
    environ.pop("LISTEN_FDNAMES", None)

    def notify(state: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(state.encode(), path)
            except OSError as error:
                _log.warn("can't send systemd {state}: {why}", state=state, why=error.strerror)

    return notify if path else lambda state: None
