"""
Tests of real programs that speak HTTP/1.0 with an edge: nginx by default, and ab.
"""

from __future__ import annotations

import os
import shutil
from typing import cast

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from brxy.processes.ports import PORTS
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Broken, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.support.processes.programs import ProgramTests

__all__ = ["OldProgramTests", "OldProgramTwoHopsTests"]

_PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))

_NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
events {{ }}
http {{
    access_log off;
    proxy_buffering off;
    upstream edge {{
        server 127.0.0.1:{edge};
        keepalive 2;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://edge;
        }}
        location /kept {{
            proxy_pass http://edge;
            proxy_set_header Connection keep-alive;
        }}
    }}
}}
"""

_GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"


async def _respond(request: Message, peer: Peer) -> None:
    """
    Answer, and close after a request of HTTP/1.0, as most apps do.
    """
    peer.write(answer())
    if request.line.endswith(b"/1.0"):
        peer.close()


@onBothTransports
class OldProgramTests(EdgeTests, ProgramTests):  # type: ignore[misc]
    """
    Tests of programs that speak HTTP/1.0.
    """

    async def nginx(self) -> Peer:
        """
        @return: a connection to an nginx before the edge.
        """
        nginx = shutil.which("nginx", path=_PATH)
        if nginx is None:
            self.skipTest("needs nginx: apt install nginx")
        port = PORTS.take()
        self.addCleanup(PORTS.release, port)
        text = _NGINX.format(port=port, edge=self.edge.addresses[0].port)
        (self.folder / "nginx.conf").write_text(text)
        self.start(nginx, "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr")
        await self.listening(f"tcp:127.0.0.1:{port}")
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", port)
        peer = cast(Peer, await endpoint.connect(Factory.forProtocol(Peer)))
        self.cutLater(peer)
        return peer

    async def test_nginx(self) -> None:
        """
        Behind an nginx with its default settings, the app's connection is kept from one request
        to the next, whether nginx keeps its own or not. A response that breaks off does so for
        the client of nginx, too.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/broken":
                peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                await client.until(lambda: b"abc" in client.received)
                peer.close()
            else:
                await _respond(request, peer)

        app = webApp(respond)
        self.launch(app)
        client = await self.nginx()
        for target in (b"/1", b"/2", b"/kept/3", b"/kept/4", b"/5"):
            client.write(_GET % target)
            self.assertEqual((await client.answer()).body, b"ok")
        self.assertEqual({request[b"via"] for request in app.requests}, {b"1.0 brxy"})
        self.assertEqual(len(app.peers), 1)
        client.write(_GET % b"/broken")
        with self.assertRaises(Broken):
            await client.answer()

    async def test_ab(self) -> None:
        """
        ab's connections are kept if it requests that, and the app's in any case.
        """
        ab = shutil.which("ab")
        if ab is None:
            self.skipTest("needs ab: apt install apache2-utils")
        app = webApp(_respond)
        self.launch(app)
        port = self.edge.addresses[0].port
        for options, kept in (([], 0), (["-k"], 20)):
            program = self.start(ab, "-q", "-n", "20", *options, f"http://127.0.0.1:{port}/")
            self.assertEqual(await self.ended(program), 0, program.err)
            self.assertRegex(program.out, r"\nComplete requests: +20\nFailed requests: +0\n")
            found = "Keep-Alive requests:    20" in program.out
            self.assertEqual(found, bool(kept), program.out)
        self.assertEqual((len(app.requests), len(app.peers)), (40, 1))


@onBothTransports
class OldProgramTwoHopsTests(OldProgramTests):
    """
    Tests of programs that speak HTTP/1.0, with a node between edge and app.
    """

    spawner_type = NodeSpawner
