"""
Measures how long it takes until an app knows that its client has left.

C{python -m benchmarks.leaving}, or C{./dev bench leaving}.

The app is silent: it owes either its whole response, or the next event of a stream. A client
leaves in one of three ways, and the app notes when its own connection ends.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.http.contender import Missing, Running, Site, needs
from benchmarks.http.others import OTHERS
from benchmarks.http.servers import BenchError, Servers, freePort
from benchmarks.report.command import guarded, say, sayLeftOut
from benchmarks.report.machine import describe
from brxy.program.tokenfile import makeToken

__all__ = ["Cell", "main"]

# How long an app is waited for (seconds).
_PATIENCE = 3.0

# Seconds between what the app gets or sends last and the client's end.
_PAUSE = 0.05

# What the app is doing, by the path of the request.
_SITUATIONS = {"/slow": "response is slow", "/events": "event stream is silent"}

_GO = "Go ReverseProxy"

_EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"8\r\ndata: x\n\r\n"
)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# l_onoff and l_linger of socket(7): closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


# The app


def _serveApp(port: int, report: int) -> None:
    """
    Run the app.

    @param port: where it listens.
    @param report: the port for datagrams about each connection that has ended.
    """
    listening = socket.create_server(("127.0.0.1", port), backlog=128)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, report), daemon=True).start()


def _serve(connection: socket.socket, report: int) -> None:
    """
    Serve one connection.
    """
    reports = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    reports.connect(("127.0.0.1", report))
    path = b""
    with connection, reports:
        try:
            while head := connection.recv(65536):
                path = head.split(b" ")[1]
                if path == b"/":
                    connection.sendall(_OK)
                    continue
                if path.startswith(b"/events"):
                    connection.sendall(_EVENTS)
                reports.send(b"begun %b" % path)
        except OSError:
            pass
        reports.send(b"ended %b %.6f" % (path, time.monotonic()))


# The ways to leave


def _close(client: socket.socket) -> None:
    client.close()


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.close()


def _shutdown(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


_WAYS: dict[str, Callable[[socket.socket], None]] = {
    "close": _close,
    "reset": _reset,
    "half-close": _shutdown,
}


# The contenders


_HAPROXY = """\
defaults
    mode http
    option abortonclose
    timeout connect 10s
    timeout client 3600s
    timeout server 3600s
listen clients
    bind 127.0.0.1:{port}
    server origin 127.0.0.1:{origin}
"""


def _direct(name: str, site: Site) -> Running:
    """
    Start nothing: clients connect to the app.
    """
    return site.start(name, {}, site.origin)


def _haproxy(name: str, site: Site) -> Running:
    """
    Start an HAProxy that aborts for clients that close.
    """
    needs("haproxy")
    port = freePort()
    config = site.folder / "leaving.cfg"
    config.write_text(_HAPROXY.format(port=port, origin=site.origin))
    return site.start(name, {"proxy": ["haproxy", "-db", "-f", str(config)]}, port)


def _edge(port: int, *options: str) -> list[str]:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [sys.executable, "-m", "brxy.edge", "-p", listen, "-c", "8", *options]


def _oneHop(report: int) -> Callable[[str, Site], Running]:
    """
    @param report: see L{_serveApp}.
    """

    def launch(name: str, site: Site) -> Running:
        port = freePort()
        app = [sys.executable, "-m", "benchmarks.leaving", "--app", "{port}", str(report)]
        edge = _edge(port, "--spawn", "app: max=1 -- " + " ".join(app))
        return site.start(name, {"edge": edge}, port)

    return launch


def _twoHops(name: str, site: Site) -> Running:
    """
    Start an edge, and a node before the app.
    """
    port, inner = freePort(), freePort()
    token = ["--token-file", str(site.folder / "token")]
    makeToken(token[1])
    node = [sys.executable, "-m", "brxy.node", "--edge", f"tcp:127.0.0.1:{inner}", *token]
    parts = {
        "edge": _edge(port, "--node-port", f"tcp:{inner}:interface=127.0.0.1", *token),
        "node": [*node, "--app", f"127.0.0.1:{site.origin}", "-c", "8"],
    }
    return site.start(name, parts, port)


def _contenders(report: int) -> dict[str, Callable[[str, Site], Running]]:
    """
    @return: what starts each contender, by its title.
    """
    others = {each.name: each.launch for each in OTHERS}
    return {
        "no proxy": _direct,
        "nginx": others["nginx"],
        "HAProxy, abortonclose": _haproxy,
        _GO: others["go"],
        "brxy, one hop": _oneHop(report),
        "brxy, two hops": _twoHops,
    }


# Measuring


@frozen
class Cell:
    """
    One situation and one way to leave.

    @ivar times: milliseconds until the app knew, one for each client; L{None} if it did not
        within L{_PATIENCE}.
    """

    situation: str
    way: str
    times: list[float | None]

    @property
    def text(self) -> str:
        """
        The median and the worst, in ms.
        """
        known = [each for each in self.times if each is not None]
        if len(known) < len(self.times):
            return "never"
        return f"{statistics.median(known):.1f} ({max(known):.1f})"


class _Reports:
    """
    What the app reports.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def wait(self, wanted: bytes, patience: float) -> bytes | None:
        """
        @return: what follows C{wanted} in the datagram that begins with it; L{None} if none came
            in time.
        """
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                said = self._socket.recv(65536)
            except TimeoutError:
                break
            if said.startswith(wanted):
                return said[len(wanted) :]
        return None


def _measureOne(port: int, path: str, way: str, reports: _Reports) -> float | None:
    """
    @return: the milliseconds from a client's end to that of the app's connection.
    @raise BenchError: the app does not get the request.
    """
    client = socket.create_connection(("127.0.0.1", port))
    try:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        if reports.wait(b"begun %b" % path.encode(), _PATIENCE * 3) is None:
            raise BenchError(f"the app got no request for {path}")
        if path.startswith("/events"):
            while b"data: x" not in client.recv(65536, socket.MSG_PEEK):
                time.sleep(0.001)
            client.recv(65536)
        time.sleep(_PAUSE)
        left = time.monotonic()
        _WAYS[way](client)
        ended = reports.wait(b"ended %b " % path.encode(), _PATIENCE)
        return None if ended is None else 1000 * (float(ended) - left)
    finally:
        if client.fileno() >= 0:
            _reset(client)


def _measure(port: int, reports: _Reports, clients: int) -> list[Cell]:
    """
    Have clients leave one contender in all ways.
    """
    cells = []
    for path, situation in _SITUATIONS.items():
        for way in _WAYS:
            cell = Cell(situation, way, [])
            for number in range(clients):
                cell.times.append(_measureOne(port, f"{path}/{way}/{number}", way, reports))
                if cell.times[-1] is None:
                    break
            cells.append(cell)
    return cells


def _run(clients: int, output: Path | None, smoke: bool) -> None:
    """
    @param smoke: leave out Go, which compiles its standard library in its first run.
    """
    reports = _Reports()
    rows: dict[str, list[Cell]] = {}
    missing = []
    contenders = _contenders(reports.port)
    if smoke:
        del contenders[_GO]
        say(f"a smoke test leaves out {_GO}")
    for title, launch in contenders.items():
        with Servers() as servers:
            origin = freePort()
            app = [sys.executable, "-m", "benchmarks.leaving", "--app", str(origin)]
            process = servers.start("app", [*app, str(reports.port)])
            servers.waitUntilAnswering(origin, [process])
            try:
                running = launch(title.split(",")[0], Site(servers, origin, 128))
            except (Missing, BenchError) as error:
                missing.append(f"{title}: {error}")
                continue
            servers.waitUntilAnswering(running.port, [*running.parts.values(), process])
            say(title)
            rows[title] = _measure(running.port, reports, clients)
    _print(rows, clients)
    if output is not None:
        found = {
            title: [[cell.situation, cell.way, cell.times] for cell in cells]
            for title, cells in rows.items()
        }
        output.write_text(json.dumps({"machine": describe(), "rows": found}, indent=1))
    sayLeftOut(missing)


def _print(rows: dict[str, list[Cell]], clients: int) -> None:
    machine = ", ".join(f"{name} {text}" for name, text in describe().items())
    print(f"ms until the app's connection ends: median (worst) of {clients} clients")
    print(f"never: not within {_PATIENCE:g} s\n")
    for situation in _SITUATIONS.values():
        print(f"while the {situation:24}" + "".join(f"{way:>16}" for way in _WAYS))
        for title, cells in rows.items():
            texts = [cell.text for cell in cells if cell.situation == situation]
            print(f"{title:34}" + "".join(f"{text:>16}" for text in texts))
        print()
    print(machine)


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    if argv[:1] == ["--app"]:
        _serveApp(int(argv[1]), int(argv[2]))
    parser = argparse.ArgumentParser(prog="./dev bench leaving", description=__doc__)
    parser.add_argument("--clients", type=int, default=30, help="how many leave in each way")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--smoke", action="store_true", help="only check that everything works")
    given = parser.parse_args(argv)
    clients = 2 if given.smoke else given.clients
    return guarded(lambda: _run(clients, given.json, given.smoke))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
