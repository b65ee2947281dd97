"""
Opens ports by their endpoint strings, and forms the endpoint at which nodes dial in.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from errno import EADDRINUSE
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.errors import UsageError
from brxy.program.owners import portOwner, socketOwner
from brxy.reactor.prober import Prober
from brxy.transport.epollreactor import EpollReactor
from brxy.transport.inherited import checkInherited
from brxy.transport.link import PROBES, probe
from brxy.values.text import printable

__all__ = [
    "Sockets",
    "checkOpenable",
    "checkPrivate",
    "closed",
    "edgeEndpoint",
    "endpointText",
    "listen",
    "private",
    "shown",
]

# How many connections may wait to be accepted; the kernel has its own limit.
BACKLOG = 4096


def listen(
    reactor: Any,
    endpoint: str,
    factory: IProtocolFactory,
    *,
    option: str = "",
    keepalive: float = 0.0,
) -> IListeningPort:
    """
    Open a port.

    @param endpoint: a Twisted server endpoint.
    @param option: the option by which another one is chosen.
    @param keepalive: after how many seconds of silence the kernel probes whether a peer is
        there; 0 for never.
    @raise UsageError: it can't be opened.
    """
    ports: list[IListeningPort] = []
    failures: list[Failure] = []
    try:
        server = serverFromString(reactor, _everywhere(endpoint))
    except LookupError:
        raise UsageError(f"can't listen on {endpoint}: no such socket was inherited") from None
    inherited = isinstance(server, AdoptedStreamServerEndpoint)
    if inherited:
        checkInherited(endpoint, server, isinstance(reactor, EpollReactor))
    listening = server.listen(factory)
    listening.addCallbacks(ports.append, failures.append)
    if failures:
        why = _reason(failures[0], f"; give another {option}" if option else "")
        raise UsageError(f"can't listen on {endpoint}: {why}")
    if not ports:
        raise UsageError(f"can't listen on {endpoint}: such endpoints open too late")
    if "backlog=" not in endpoint and not inherited:
        _lengthenQueue(ports[0])
    listening = getattr(ports[0], "socket", None)
    if keepalive and listening is not None and listening.family != socket.AF_UNIX:
        probe(listening, keepalive, keepalive / PROBES)
    return ports[0]


def checkOpenable(endpoint: str, option: str = "") -> None:
    """
    Check that a port can be opened, and open none.

    @param endpoint: as for L{listen}.
    @param option: as for L{listen}.
    @raise UsageError: it can't be.
    """
    # An inherited socket is open already.
    if not endpoint.startswith("systemd:"):
        listen(Prober(), endpoint, Factory(), option=option)


def _reason(failure: Failure, advice: str) -> str:
    """
    @param advice: what to do if the place is taken.
    """
    error: Any = failure.value
    # Twisted's error for a socket that can't be bound has that of the system.
    cause = getattr(error, "socketError", error)
    place = getattr(error, "port", None)
    # Twisted locks a Unix socket before it binds it.
    if place is None or getattr(cause, "errno", EADDRINUSE) != EADDRINUSE:
        return str(getattr(cause, "strerror", None) or cause)
    owner = portOwner(place) if isinstance(place, int) else socketOwner(os.fsdecode(place))
    return os.strerror(EADDRINUSE) + (f" by {owner}" if owner is not None else "") + advice


def _everywhere(endpoint: str) -> str:
    """
    An endpoint without an address means all addresses, those of IPv6 too.
    """
    if endpoint.startswith("tcp:") and ":interface=" not in endpoint and _takesBoth():
        return rf"{endpoint}:interface=\:\:"
    return endpoint


def _takesBoth() -> bool:
    """
    Whether a socket for all IPv6 addresses takes IPv4 clients too, see ipv6(7).
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            return not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return False


def _lengthenQueue(port: IListeningPort) -> None:
    # Twisted's queue has 50 places.  The kernel drops a connection that finds it full, and
    # its client or node would try again after a second.
    listening = getattr(port, "socket", None)
    if listening is not None:
        listening.listen(BACKLOG)


def edgeEndpoint(addresses: Sequence[Any]) -> str:
    """
    The endpoint at which nodes on this machine dial the edge: the first node port, as a
    Twisted client endpoint; C{""} if there is none.
    """
    for address in addresses:
        if isinstance(address, UNIXAddress):
            path = address.name.decode("utf-8", "surrogateescape") if address.name else ""
            return f"unix:{endpointText(path)}"
        if isinstance(address, (IPv4Address, IPv6Address)):
            return f"tcp:{endpointText(_dialled(address.host))}:{address.port}"
    return ""


def _dialled(host: str) -> str:
    if host == "::":
        # Not every machine that can use IPv6 has an address of it.
        return "127.0.0.1" if _takesBoth() else "::1"
    return "127.0.0.1" if host == "0.0.0.0" else host


def shown(scheme: str, address: Any) -> str:
    """
    An open port as people know it: a URL, or the path of a Unix socket.

    @param scheme: of the URL.
    """
    if isinstance(address, UNIXAddress):
        path = address.name.decode("utf-8", "replace") if address.name else ""
        return f"unix:{printable(path)} ({scheme})"
    everywhere = {"0.0.0.0": "all IPv4 addresses", "::": "all addresses"}.get(address.host, "")
    host = f"[{address.host}]" if ":" in address.host else address.host
    if everywhere:
        return f"{scheme}://localhost:{address.port} ({everywhere})"
    return f"{scheme}://{host}:{address.port}"


def private(endpoint: str) -> str:
    """
    The same endpoint, for the edge's user alone.  With Twisted's default mode, every user
    of the machine could connect to a Unix socket.
    """
    if endpoint.startswith("unix:") and ":mode=" not in endpoint:
        return f"{endpoint}:mode=600"
    return endpoint


def checkPrivate(endpoint: str, address: Any) -> None:
    """
    Check that only this machine can reach a port for nodes.

    @raise UsageError: tokens and requests would cross a network unencrypted.
    """
    if not isinstance(address, UNIXAddress) and not ip_address(address.host).is_loopback:
        raise UsageError(
            f"--node-port {endpoint} can be reached from elsewhere: give --node-tls-cert and"
            " --node-tls-key, or --insecure-node-port if its network is private"
        )


def endpointText(text: str) -> str:
    """
    A text as an argument of an endpoint.
    """
    return text.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")


async def closed(port: IListeningPort) -> None:
    """
    Close a port; the connections that it has accepted stay.
    """
    result: Any = port.stopListening()
    if isinstance(result, Deferred):
        await result


class Sockets:
    """
    Opens ports, on sockets of a former edge where there are any.

    Each port has a name: the former edge and this one find the same one by it if their settings
    name the same port.
    """

    def __init__(self, given: Mapping[str, socket.socket] | None = None) -> None:
        """
        @param given: those of a former edge, by the names of their ports.
        """
        self._given = dict(given or {})
        self._ports: dict[str, IListeningPort] = {}

    def has(self, name: str) -> bool:
        """
        Whether a former edge has handed this port on.
        """
        return name in self._given

    def listen(
        self,
        name: str,
        reactor: Any,
        endpoint: str,
        factory: IProtocolFactory,
        *,
        option: str = "",
        keepalive: float = 0.0,
    ) -> IListeningPort:
        """
        Open a port, see L{brxy.edge.endpoints.listen}.
        """
        given = self._given.pop(name, None)
        if given is None:
            port = listen(reactor, endpoint, factory, option=option, keepalive=keepalive)
        else:
            port = reactor.takeOver(
                given, factory, removes_path=not endpoint.startswith("systemd:")
            )
        self._ports[name] = port
        return port

    def open(self) -> dict[str, Any]:
        """
        The ports that are open, by their names.
        """
        return {name: port for name, port in self._ports.items() if getattr(port, "connected", 0)}

    def closeRest(self) -> None:
        """
        All ports are open: nothing listens on what is left of the former edge's sockets.
        """
        for each in self._given.values():
            each.close()
        self._given.clear()
