"""
The admin API of an edge, as its client.
"""

from __future__ import annotations

import json
import os
import socket
from argparse import Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from brxy.ctl.asking.exchange import BadResponse, Connection, Response
from brxy.ctl.exitstatus import FAILED, NO_EDGE, NOT_FOUND, USAGE, Failure
from brxy.values.text import oneLine, printable

__all__ = ["PLACES", "Edge", "findEdge", "pathOf"]

#: Where an edge's socket is looked for if nothing says where it is: in the state folders of
#: the image and of the systemd unit, and in the usual folder for sockets.
PLACES = (
    "/var/lib/brxy/admin.sock",
    "/var/lib/brxy-edge/admin.sock",
    "/run/brxy/admin.sock",
    "/run/brxy/admin",
)

# The socket in a state folder.
_SOCKET = "admin.sock"

# Seconds within which an edge answers a question.  A request to do something may take longer.
_PATIENCE = 10.0


class Edge:
    """
    A running edge.
    """

    def __init__(self, address: str, token: str = "") -> None:
        """
        @param address: the path of its Unix socket, or a URL.
        @param token: for a URL.
        @raise Failure: it is neither.
        """
        self._address = address
        self._fields = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection = _connection(address)

    def get(self, path: str, **query: str) -> Any:
        """
        Ask for something.

        @param query: parameters; those without a value are left out.
        @raise Failure: the edge does not answer, or refuses.
        """
        return self._answer(self._send("GET", _target(path, query)))

    def all(self, path: str, name: str, **query: str) -> list[Any]:
        """
        Ask for a list that comes in pages.

        @param name: that of the list in each page.
        """
        found: list[Any] = []
        after = ""
        while True:
            page = self.get(path, limit="1000", after=after, **query)
            found += page[name]
            after = page.get("next") or ""
            if not after:
                return found

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """
        Have the edge do something, and wait until it is done.
        """
        return self._answer(self._send("POST", path, body, patient=True))

    def follow(self, path: str, **query: str) -> Iterator[Any]:
        """
        The server-sent events of a path, as they come.  Without an end, unless the edge ends.
        """
        response = self._send("GET", _target(path, query), patient=True)
        if response.status >= 400:
            self._answer(response)
        data: list[str] = []
        for line in _lines(response):
            if line.startswith("data:"):
                data.append(line[5:].strip())
            elif not line and data:
                yield json.loads("\n".join(data))
                data = []

    def begin(self, method: str, target: str, body: bytes | None) -> socket.socket:
        """
        Make a request for another program, which reads the response.

        @param body: JSON.
        @return: a connection of its own, on which the response comes until it is closed.
        @raise Failure: the edge can't be reached.
        """
        try:
            return self._connection.begin(method, target, body, self._fields, _PATIENCE)
        except OSError as error:
            raise self._unreachable(error) from None

    def close(self) -> None:
        """
        Close the connection.
        """
        self._connection.close()

    def _send(self, method: str, target: str, body: Any = None, patient: bool = False) -> Response:
        connection, timeout = self._connection, None if patient else _PATIENCE
        try:
            return connection.request(method, target, body, self._fields, _PATIENCE, timeout)
        except (OSError, BadResponse) as error:
            connection.close()
            raise self._unreachable(error) from None

    def _answer(self, response: Response) -> Any:
        try:
            text = response.read()
            value = json.loads(text) if text.strip() else {}
        except (OSError, BadResponse) as error:
            self._connection.close()
            raise self._unreachable(error) from None
        except ValueError:
            raise Failure(f"{printable(self._address)} is no edge", NO_EDGE) from None
        if response.closes:
            self._connection.close()
        if response.status >= 400:
            raise self._refused(response.status, value)
        return value

    def _unreachable(self, error: Exception) -> Failure:
        where = printable(self._address)
        if isinstance(error, PermissionError):
            return Failure(f"{where}: only the user of the edge may use it; try sudo", NO_EDGE)
        if isinstance(error, TimeoutError):
            return Failure(f"the edge at {where} does not answer", NO_EDGE)
        why = getattr(error, "strerror", None) or oneLine(error) or type(error).__name__
        return Failure(f"no edge at {where}: {why}", NO_EDGE)

    def _refused(self, status: int, value: Any) -> Failure:
        said = value.get("error", "") if isinstance(value, dict) else ""
        why = oneLine(said or f"the edge answers with status {status}")
        if isinstance(value, dict) and "errors" in value:
            why = "\nbrxy: ".join(map(oneLine, value["errors"]))
        if status in (401, 403):
            return Failure(f"{why}; give --token-file", NO_EDGE)
        return Failure(why, {400: USAGE, 404: NOT_FOUND}.get(status, FAILED))


def _lines(response: Response) -> Iterator[str]:
    try:
        yield from response.lines()
    except (OSError, BadResponse):
        # The edge has ended.
        return


def _connection(address: str) -> Connection:
    if not address.startswith(("http://", "https://")):
        return Connection(partial(_openUnix, address), "localhost")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise Failure(f"{printable(address)} is no URL of an edge", USAGE)
    if parts.scheme == "https":
        return Connection(partial(_openTLS, host, port or 443), parts.netloc)
    return Connection(partial(_openTCP, host, port or 80), parts.netloc)


def _openUnix(path: str, timeout: float) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    found.settimeout(timeout)
    try:
        found.connect(path)
    except OSError:
        found.close()
        raise
    return found


def _openTCP(host: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((host, port), timeout)


def _openTLS(host: str, port: int, timeout: float) -> socket.socket:
    # Takes long to load, and is needed in this case only.
    import ssl

    context = ssl.create_default_context()
    return context.wrap_socket(_openTCP(host, port, timeout), server_hostname=host)


def _target(path: str, query: Mapping[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def pathOf(*parts: str) -> str:
    """
    A path of the API.

    @param parts: its parts, which may have any characters.
    """
    return "/v1/" + "/".join(quote(each, safe="") for each in parts)


def findEdge(given: Namespace, environ: Mapping[str, str] = os.environ) -> Edge:
    """
    The edge that a command line means: that of C{--socket} or C{--url}, of C{BRXY_ADMIN}, or
    one at a usual place.

    @raise Failure: there is none, or the token can't be read.
    """
    token = _token(given.token_file)
    address = given.url or given.socket or environ.get("BRXY_ADMIN") or _usual()
    if address.startswith(("http://", "https://")):
        return Edge(address, token)
    path = address.removeprefix("unix:")
    return Edge(os.path.join(path, _SOCKET) if os.path.isdir(path) else path)


def _usual() -> str:
    found = next((each for each in PLACES if os.path.exists(each)), None)
    if found is None:
        raise Failure(
            f"no edge found (there is no {PLACES[0]}); give --socket its state folder, or set"
            " BRXY_ADMIN",
            NO_EDGE,
        )
    return found


def _token(path: str | None) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a token"
        raise Failure(f"--token-file {path}: {why}") from None
