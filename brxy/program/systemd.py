"""
Telling systemd how far a service is, see sd_notify(3).
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
    @param environ: where systemd has left the address; whatever we start shall
        not find it there, nor the names of the sockets that were ours.
    @return: tells it a state; does nothing where nobody wants to know.
    """
    # An @ stands for the zero byte of a name that is in no file system.
    path = re.sub("^@", "\0", environ.pop("NOTIFY_SOCKET", ""))
    environ.pop("LISTEN_FDNAMES", None)

    def notify(state: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(state.encode(), path)
            except OSError as error:
                _log.warn("can't tell systemd {state}: {why}", state=state, why=error.strerror)

    return notify if path else lambda state: None
