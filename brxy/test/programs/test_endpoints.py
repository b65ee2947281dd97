"""
Tests of endpoints as people write them, with real sockets.
"""

from __future__ import annotations

from brxy.reactor.endpoints import clientEndpoint
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.processes.programs import TWISTD, ProgramTests

__all__ = ["EndpointTests"]

# An app that answers with the address of its client.
_APP = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Request(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["X-Forwarded-For"].encode())

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""


@onBothTransports
class EndpointTests(ProgramTests):
    """
    Tests of edges that listen on such endpoints.
    """

    async def test_both(self) -> None:
        """
        A port alone listens on the addresses of both families, and an app gets the address
        of an IPv4 client as such. Nodes reach such a port, too.
        """
        (self.folder / "app.py").write_text(_APP)
        for port in "0", "*:0", ":0":
            edge = self.start(
                *(TWISTD, "-n", "brxy-edge", *self.on, "--port", port, "--idle-timeout", "5m"),
                *("--node-port", port, "--insecure-node-port"),
                *("--spawn", "app: stop-timeout=1m -- python app.py"),
            )
            match = await self.said(edge, r"listening on http://localhost:(\d+) \(all addres")
            for host in "127.0.0.1", "[::1]":
                answer = await self.get(clientEndpoint(f"{host}:{match[1]}"))
                self.assertEqual(answer.body, host.strip("[]"))
            nodes = await self.said(edge, r"nodes connect to tcp://localhost:(\d+) ")
            self.assertNotEqual(nodes[1], match[1])
            await self.stopped(edge)

    async def test_one(self) -> None:
        """
        An address with a port listens there alone, over TCP frontends, too.
        """
        edge = self.start(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--port", "[::1]:0", "--tcp", "x=127.0.0.1:0"),
            *("--spawn", "app: -- true"),
        )
        await self.said(edge, r"listening on http://\[::1\]:\d+\n")
        await self.said(edge, r"listening on tcp://127\.0\.0\.1:\d+ for x\n")
        await self.stopped(edge)

    async def test_node(self) -> None:
        """
        A node that the edge spawns on this machine dials a port at all addresses.
        """
        (self.folder / "app.py").write_text(_APP)
        edge = self.start(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--port", "127.0.0.1:0", "--node-port", "0"),
            *("--insecure-node-port", "--spawn", "twistd -n brxy-node -- python app.py"),
        )
        self.assertEqual((await self.get(await self.address(edge))).body, "127.0.0.1")
        await self.stopped(edge)
