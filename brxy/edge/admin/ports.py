"""
The ports of the admin API.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from brxy.edge.admin.door import Door
from brxy.edge.admin.server import AdminFactory, AdminServer
from brxy.edge.admin.table import Endpoint
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.config.adminport import AdminPort
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.endpoints import Sockets, checkOpenable, closed, endpointText, private, shown
from brxy.edge.events import Events
from brxy.edge.startstop import AdminListening, AdminUnavailable
from brxy.errors import UsageError
from brxy.program.tokenfile import makeToken, readTokens
from brxy.tls.alpn import ALPN
from brxy.tls.handshakes import Handshakes, encrypted

__all__ = ["AdminAccess", "AdminPorts", "AdminToken", "clearSocket"]

_NAME = "admin.sock"

# Bytes of a socket's path, see unix(7).
_LONGEST = 107

_OPTION = "--admin"
_TOKEN_OPTION = "--admin-token-file"

_HTTP = ALPN([b"http/1.1"])

# The path of a Unix endpoint.  A colon behind a backslash is part of it.
_UNIX = re.compile(r"unix:(?:address=)?((?:\\.|[^:\\])*)")


class AdminToken:
    """
    The token that requests over TCP must bring.
    """

    def __init__(self, path: str) -> None:
        """
        @param path: its file, which is made if it does not exist.
        @raise UsageError: the file can't be used.
        """
        makeToken(path, _TOKEN_OPTION)
        self._path = path
        self._tokens = readTokens(path, _TOKEN_OPTION)

    def __call__(self) -> Sequence[str]:
        """
        @return: the tokens that are accepted.
        """
        return self._tokens

    def reload(self) -> None:
        """
        Read the file again.

        @raise UsageError: it can't be used; the former token is kept.
        """
        self._tokens = readTokens(self._path, _TOKEN_OPTION)


@frozen
class AdminAccess:
    """
    What protects the ports that are no Unix sockets.

    @ivar token: the token; L{None} without its file.
    @ivar certificates: for ports over TLS; L{None} without any.
    """

    token: Callable[[], Sequence[str]] | None
    certificates: CertificateStore | None


class AdminPorts:
    """
    The ports of the admin API, and its server.
    """

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        server: AdminServer,
        access: AdminAccess,
        events: Events,
        begin: Callable[[], None],
        leave: Callable[[], None],
        sockets: Sockets,
    ) -> None:
        """
        @param begin: called when a port is open.
        @param sockets: opens the ports.
        @param leave: called when the edge stops.
        """
        self._begin = begin
        self._leave = leave
        self._sockets = sockets
        self._reactor = reactor
        self._named = settings.admin
        self._state_dir = settings.state_dir if settings.private_admin else None
        self._server = server
        self._access = access
        self._handshakes = Handshakes(reactor)
        self._events = events
        self._open: list[tuple[str, IListeningPort]] = []

    @property
    def shown(self) -> list[str]:
        """
        The ports as people know them.
        """
        return [shown(scheme, port.getHost()) for scheme, port in self._open]

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return self._server.table.endpoints

    @property
    def addresses(self) -> list[Any]:
        """
        One address for each port, in their order.
        """
        return [port.getHost() for _, port in self._open]

    def check(self) -> None:
        """
        Check that all ports can be opened.

        @raise UsageError: one of them can't be.
        """
        for each in self._named:
            if not _path(each.endpoint):
                checkOpenable(each.endpoint, _OPTION)

    def open(self) -> None:
        """
        Open all ports.  The edge does without the socket in its state folder if that can't
        be opened: it serves its clients all the same.

        @raise UsageError: a port that the settings name can't be opened, or is not
            protected.
        """
        if self._state_dir is not None:
            try:
                self._listen(AdminPort(_socketEndpoint(self._state_dir)))
            except UsageError as error:
                self._events.emit(AdminUnavailable(str(error)))
        for each in self._named:
            self._listen(each)
        if self._open:
            self._begin()

    def _listen(self, named: AdminPort) -> None:
        path, name = _path(named.endpoint), f"admin {named.endpoint}"
        if path and not self._sockets.has(name):
            clearSocket(path)
        scheme = "https" if named.over_tls else "http"
        factory = self._factory(named, scheme, local=bool(path))
        port = self._sockets.listen(
            name, self._reactor, private(named.endpoint), factory, option=_OPTION
        )
        try:
            self._check(named, port.getHost())
        except UsageError:
            port.stopListening()
            raise
        self._open.append((scheme, port))
        self._events.emit(AdminListening(shown(scheme, port.getHost())))

    def _factory(self, named: AdminPort, scheme: str, local: bool) -> IProtocolFactory:
        access = self._access
        if not named.over_tls:
            return AdminFactory(self._server, Door(scheme, None if local else access.token))
        assert access.certificates is not None, "TLS without certificates"
        door = Door(scheme, access.token, access.certificates.serves)
        return encrypted(
            AdminFactory(self._server, door),
            access.certificates.creator(_HTTP),
            self._handshakes,
            clock=self._reactor,
        )

    def _check(self, named: AdminPort, address: Any) -> None:
        """
        Check that a port is protected.

        @raise UsageError: any user could use it, or any machine on the way read its token.
        """
        if isinstance(address, UNIXAddress) and not named.over_tls:
            return
        if self._access.token is None:
            raise UsageError(f"{_OPTION} {named.endpoint} is no Unix socket: give {_TOKEN_OPTION}")
        if not named.over_tls and not ip_address(address.host).is_loopback:
            raise UsageError(
                f"{_OPTION} {named.endpoint} can be reached from elsewhere: use 127.0.0.1, or "
                "tls:ENDPOINT with --tls-certs"
            )

    async def stop(self) -> None:
        """
        Close the ports, and end what is under way.
        """
        self._handshakes.stop()
        self._leave()
        self._server.leave()
        await self.close()

    async def close(self) -> None:
        """
        Close the ports; requests that are under way are answered.
        """
        self._server.leave()
        open, self._open = self._open, []
        for _, port in open:
            await closed(port)

    def abort(self) -> None:
        """
        Cut every connection that is left.
        """
        self._server.abort()


def _path(endpoint: str) -> str:
    """
    @return: the path of a Unix endpoint; C{""} for another one.
    """
    match = _UNIX.match(endpoint)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else ""


def _socketEndpoint(state_dir: str) -> str:
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
