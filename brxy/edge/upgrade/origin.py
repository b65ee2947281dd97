"""
How this process was started, so that it can start the next version of itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

from attrs import frozen

from brxy.reactor.endpoints import HANDED_ON

__all__ = ["UNKNOWN", "Origin", "findOrigin"]


@frozen
class Origin:
    """
    What the kernel was given for this process.

    @ivar obstacle: why no other edge can take its place; C{""} if one can.
    """

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    obstacle: str = ""

    def start(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        """
        Start the same command again, with what is installed now.

        @param channel: for the new process.
        @raise OSError: that is not possible.
        """
        return subprocess.Popen(
            self.arguments,
            cwd=self.folder,
            env={**self.environment, HANDED_ON: str(channel.fileno())},
            pass_fds=(channel.fileno(),),
        )


#: A process that was not started by a command line of the edge.
UNKNOWN = Origin((), "", {}, "it was not started by a command line")


def findOrigin(environ: Mapping[str, str], *, foreground: bool, own_transport: bool) -> Origin:
    """
    Find how this process was started.  Call it before the process changes its folder or its
    environment.

    @param own_transport: connections have brxy's own transport, which can take them over.
    """
    obstacle = ""
    if not foreground:
        obstacle = "twistd runs it in the background: start it with -n, for example by systemd"
    elif os.getpid() == 1:
        obstacle = "it is process 1, with which its container ends: start another container"
    elif not own_transport:
        obstacle = "--transport reactor can't take connections over"
    return Origin([sys.executable, *sys.orig_argv[1:]], os.getcwd(), dict(environ), obstacle)
