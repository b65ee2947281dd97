"""
The command lines of OpenSSH's client, and the meaning of its messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from posixpath import join

from attrs import frozen

from brxy.spawners.ssh.remote import HOLD, RUN

__all__ = ["SshClient", "explain", "forwardTarget"]

# Seconds between two keep-alive requests, and how many may go unanswered: a connection
# that was cut is noticed within 20 s.
_ALIVE_INTERVAL = 5
_ALIVE_COUNT = 3

# Options of the master, which override the user's configuration: it prompts for nothing,
# and only holds the connection.
_MASTER = (
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ControlPersist=no",
    "LogLevel=INFO",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    f"ServerAliveInterval={_ALIVE_INTERVAL}",
    f"ServerAliveCountMax={_ALIVE_COUNT}",
)

# No terminal, agent or X11 is forwarded.
_BARE = ("-T", "-a", "-x")

# Lines that come after the reason, or say nothing without it.
_NOISE = re.compile(
    r"Connection closed by UNKNOWN |banner exchange: Connection to UNKNOWN "
    r"|kex_exchange_identification: |Disconnected from |Shared connection to |Killed by signal "
)


@frozen
class SshClient:
    """
    The command lines for one host.  What is L{None} is taken from ssh's configuration.

    @ivar host: the host, as C{ssh} itself takes it.
    @ivar user: the user there.
    @ivar port: the port of the sshd there.
    @ivar key: the file with the only key to use.
    @ivar config: the file that replaces the user's own configuration.
    @ivar connect_timeout: seconds for a connection and its key exchange.
    """

    host: str
    user: str | None = None
    port: int | None = None
    key: str | None = None
    config: str | None = None
    connect_timeout: float = 10.0

    def master(self, control: str) -> list[str]:
        """
        Return the command that connects, shares the connection at C{control}, and runs
        L{HOLD}.
        """
        given = [f"ConnectTimeout={ceil(max(self.connect_timeout, 1))}", *_MASTER]
        argv = ["ssh", "-M", "-S", _path(control), *_BARE]
        if self.config is not None:
            argv += ["-F", self.config]
        if self.user is not None:
            argv += ["-l", self.user]
        if self.port is not None:
            argv += ["-p", str(self.port)]
        if self.key is not None:
            argv += ["-i", self.key]
            given.append("IdentitiesOnly=yes")
        return [*argv, *(f"-o{option}" for option in given), "--", self.host, HOLD]

    def forward(self, control: str, path: str, target: str) -> list[str]:
        """
        Return the command that has the master listen on C{path} on the host, for
        C{target} on this machine.

        @param target: see L{forwardTarget}.
        """
        wanted = ["-O", "forward", "-oStreamLocalBindUnlink=yes", "-R", f"{path}:{target}"]
        return [*self._through(control), *wanted, "--", self.host]

    def run(self, control: str) -> list[str]:
        """
        Return the command that runs L{brxy.spawners.ssh.remote.RUN} through the master.
        """
        return [*self._through(control), *_BARE, "--", self.host, RUN]

    def _through(self, control: str) -> list[str]:
        """
        A client of the master needs no configuration, and must not connect by itself
        when there is no master.
        """
        return ["ssh", "-F", "none", "-S", _path(control), "-oProxyCommand=false"]


def _path(text: str) -> str:
    """
    Escape a path for C{ssh}, which expands C{%h} and the like in it.
    """
    return text.replace("%", "%%")


def forwardTarget(endpoint: str, folder: str) -> str:
    """
    Write an endpoint in the form of C{ssh -R}.

    @param endpoint: the Twisted client endpoint at which nodes on this machine dial the
        edge.
    @param folder: the folder that a relative path in it starts from.
    @raise ValueError: ssh can't forward to such an endpoint.
    """
    kind, *rest = (
        re.sub(r"\\(.)", r"\1", part) for part in re.findall(r"(?:\\.|[^:\\])+", endpoint)
    )
    if kind == "unix" and len(rest) == 1:
        return _path(join(folder, rest[0])).replace("\\", "\\\\").replace(":", "\\:")
    if kind == "tcp" and len(rest) == 2:
        host, port = rest
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    raise ValueError(f"ssh can't forward to {endpoint!r}")


def explain(lines: Sequence[str]) -> str:
    """
    Find the reason for which C{ssh} failed, in one line.

    @param lines: the lines that it printed.
    """
    said = [line.strip() for line in lines if line.strip()]
    if any("REMOTE HOST IDENTIFICATION HAS CHANGED" in line for line in said):
        return "its host key is not the one in known_hosts"
    if said and said[-1].startswith("Host key verification failed"):
        return "its host key is not in known_hosts"
    telling = [line for line in said if not _NOISE.match(line)] or said
    return telling[-1].removeprefix("ssh: ").rstrip(".") if telling else "ssh gave no reason"
