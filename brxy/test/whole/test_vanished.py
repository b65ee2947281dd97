"""
Tests of clients that vanish: their link is cut, and no FIN comes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Message, Peer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.support.processes.netlinks import MISSING, Elsewhere
from brxy.test.support.processes.programs import ProgramTests

__all__ = ["VanishedTests", "VanishedTwoHopsTests"]

# Connects to three ports of a host, the third over TLS, and sends a request on each; a fourth
# one, for a response that goes on.
_CLIENT = """\
import socket, ssl, sys
host, *ports = sys.argv[1:]
context = ssl._create_unverified_context()
kept = []
for number, port in enumerate([*ports, ports[0]]):
    client = socket.create_connection((host, int(port)))
    if number == 2:
        client = context.wrap_socket(client, server_hostname="localhost")
    client.sendall(b"GET /%d HTTP/1.1\\r\\nHost: tcp\\r\\n\\r\\n" % number)
    kept.append(client)
input()
"""


@onBothTransports
class VanishedTests(EdgeTests, ProgramTests):  # type: ignore[misc]
    """
    Tests of clients that vanish.
    """

    if MISSING:
        skip = MISSING

    timeout = 40

    async def test_cut(self) -> None:
        """
        A client whose link is cut is found by the kernel's probes while its response is silent,
        over HTTP, TLS and TCP, and by what it does not acknowledge if bytes go on. Its app sees
        the end of its connection.
        """
        gone: set[bytes] = set()

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/3":
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
                await cut.until(lambda: cut.ended)
                peer.write(b"x")
            await peer.until(lambda: peer.ended)
            gone.add(request.target)

        app, cut = webApp(respond), Peer()
        link = Elsewhere(13)
        self.addCleanup(link.end)
        self._launch(app, link.here)
        ports = [str(address.port) for address in self.edge.addresses]
        client = self.start(*link.within(), sys.executable, "-c", _CLIENT, link.here, *ports)
        await self._until(client, lambda: len(app.requests) >= 4)
        link.cut()
        cut.ended = True
        cut.tell()
        await self._until(client, lambda: gone == {b"/0", b"/1", b"/2", b"/3"})

    def _launch(self, app: Any, host: str) -> None:
        anywhere = f"tcp:0:interface={host}"
        self.launch(
            app,
            {"capacity": 4, "max_instances": 2},
            ports=[anywhere],
            tls_ports=[anywhere],
            tls_certs=self.certificates(),
            frontends=[("tcp", anywhere)],
            limits=Limits(tcp_keepalive=1.0, write_timeout=2.0),
        )

    async def _until(self, client: Any, condition: Callable[[], object]) -> None:
        await self.until(lambda: condition() or client.status is not None)
        self.assertIsNone(client.status, client.err)


@onBothTransports
class VanishedTwoHopsTests(VanishedTests):
    """
    Tests of clients that vanish, with a node between edge and app.
    """

    spawner_type = NodeSpawner
