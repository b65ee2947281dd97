"""
Tests with real proxies before an edge, and with real servers behind it that
receive PROXY headers.
"""

from __future__ import annotations

import os
import shutil
import signal
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from brxy.interfaces import Address
from brxy.processes.ports import PORTS
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, answer, echo, webApp
from brxy.test.support.processes.programs import ANYWHERE, TWISTD, Program, ProgramTests
from brxy.wire.proxyheader import VERSIONS, Endpoints, proxyHeader

__all__ = ["HAProxyTests", "NginxTests"]

_PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))

# Clients connect from this address, and the proxies connect from 127.0.0.1.
_CLIENT = "127.0.0.2"

_GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

_HAPROXY = """\
defaults
    timeout connect 10s
    timeout client 30s
    timeout server 30s
"""

_LISTEN = """
listen {mode}-{version}
    mode {mode}
    bind 127.0.0.1:{port}
    server edge 127.0.0.1:{edge} {send}
"""

_SEND = {"v1": "send-proxy", "v2": "send-proxy-v2"}

# Not for TCP, where a check looks like any other client.
_CHECK = {"http": " check check-send-proxy inter 50ms", "tcp": ""}

# HAProxy and nginx as apps that answer with the source and destination of the connection.
_TELLING = (
    _HAPROXY
    + """
frontend app
    mode http
    bind 127.0.0.1:"${PORT}" accept-proxy
    http-request return status 200 content-type text/plain lf-file told
"""
)

_NGINX = """\
daemon off;
pid nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        set $from $proxy_protocol_addr:$proxy_protocol_port;
        set $to $proxy_protocol_server_addr:$proxy_protocol_server_port;
        location / {{
            return 200 "$from $to";
        }}
    }}
}}
"""


class _Tests(ProgramTests):
    """
    Base of the tests with load balancers.
    """

    def serve(self, *arguments: str) -> Program:
        """
        Start an edge with long timeouts, because the machine may be busy.
        """
        options = (*self.on, "--start-timeout", "90", "--hold-timeout", "90")
        return self.start(TWISTD, "-n", "brxy-edge", *options, *arguments, PATH=_PATH)

    def node(self, *arguments: str) -> str:
        """
        @return: the command of a node.
        """
        return " ".join([TWISTD, "-n", "brxy-node", *self.on, *arguments])

    def startApp(self, app: App) -> Address:
        """
        Start an app in the process of the test run.
        """
        address = app.listen(self.reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(app.stop()))
        return address

    def takePort(self) -> int:
        """
        @return: an unused port.
        """
        port = PORTS.take()
        self.addCleanup(PORTS.release, port)
        return port

    async def connect(self, port: int) -> Peer:
        """
        Connect as a client, from an address that belongs to no proxy.
        """
        await self.listening(f"tcp:127.0.0.1:{port}")
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", port, bindAddress=(_CLIENT, 0))
        peer = cast(Peer, await endpoint.connect(Factory.forProtocol(Peer)))
        self.addCleanup(peer.abort)
        return peer

    def write(self, name: str, text: str) -> str:
        """
        Write a file.

        @return: its path.
        """
        path = self.folder / name
        path.write_text(text)
        return str(path)


@onBothTransports
class HAProxyTests(_Tests):
    """
    Tests of HAProxy before an edge, and of its headers passed on to apps by a
    node.
    """

    if shutil.which("haproxy", path=_PATH) is None:
        skip = "needs haproxy: apt install haproxy"

    async def test_before(self) -> None:
        """
        Apps learn the addresses of HAProxy's clients, over HTTP and TCP, from
        headers of either version. HAProxy's checks of the edge have no effect.
        """
        web, db = webApp(answer()), App(echo)
        commands = [
            f"process: route={route} max=1 -- {self.node('--app', str(self.startApp(app)), *more)}"
            for route, app, more in (("a", web, ()), ("db", db, ("--send-proxy", "v1")))
        ]
        edge = self.serve(
            *("--port", ANYWHERE, "--tcp", f"db={ANYWHERE}", "--node-port", ANYWHERE),
            *("--proxy-trust", "127.0.0.1", "--spawn", commands[0], "--spawn", commands[1]),
        )
        haproxy, ports = await self._balance(edge)
        for version in VERSIONS:
            peer = await self.connect(ports["http", version])
            peer.write(_GET)
            self.assertEqual((await peer.answer()).status, 200)
            self.assertEqual(web.requests[-1][b"x-forwarded-for"], _CLIENT.encode())
            await self._checkTCP(ports["tcp", version])
        self.assertNotIn("closed a connection from proxy", edge.out)
        haproxy.signal(signal.SIGTERM)
        await self.stopped(edge)

    async def _balance(self, edge: Program) -> tuple[Program, dict[tuple[str, str], int]]:
        """
        Start HAProxy.

        @return: its process, and its ports by mode and version.
        """
        text, ports = _HAPROXY, {}
        for mode, factory in (("http", "HTTPFactory"), ("tcp", "TCPFactory")):
            behind = (await self.address(edge, factory)).rpartition(":")[2]
            for version in VERSIONS:
                port = ports[mode, version] = self.takePort()
                text += _LISTEN.format(
                    mode=mode,
                    version=version,
                    port=port,
                    edge=behind,
                    send=_SEND[version] + _CHECK[mode],
                )
        haproxy = shutil.which("haproxy", path=_PATH)
        assert haproxy is not None
        return self.start(haproxy, "-db", "-q", "-f", self.write("haproxy.cfg", text)), ports

    async def _checkTCP(self, port: int) -> None:
        peer = await self.connect(port)
        client = Endpoints(Address(_CLIENT, peer.local.port), Address("127.0.0.1", port))
        header = proxyHeader("v1", client)
        peer.write(b"hello")
        self.assertEqual(await peer.take(len(header) + 5), header + b"hello")
        peer.end()
        self.assertEqual(await peer.untilEnd(), b"")

    async def test_behind(self) -> None:
        """
        HAProxy as an app accepts the PROXY headers of the edge, also when the
        edge checks whether the app is ready.
        """
        self.write("told", "%[src]:%[src_port] %[dst]:%[dst_port]")
        command = f"haproxy -db -q -f {self.write('app.cfg', _TELLING)}"
        for version in VERSIONS:
            spawn = f"app: send-proxy={version} ready-path=/ -- {command}"
            edge = self.serve("--port", ANYWHERE, "--spawn", spawn)
            port = int((await self.address(edge)).rpartition(":")[2])
            peer = await self.connect(port)
            peer.write(_GET)
            reply = await peer.answer()
            self.assertEqual(reply.body.decode(), f"{_CLIENT}:{peer.local.port} 127.0.0.1:{port}")
            await self.stopped(edge)


@onBothTransports
class NginxTests(_Tests):
    """
    Tests of nginx behind a node.
    """

    if not all(shutil.which(program, path=_PATH) for program in ("nginx", "curl")):
        skip = "needs nginx and curl: apt install nginx curl"

    async def test_behind(self) -> None:
        """
        nginx accepts the PROXY header of the node, with the client that curl
        announces.
        """
        nginx = f"nginx -p {self.folder} -c nginx.conf -e stderr"
        for version in VERSIONS:
            # nginx overwrites its environment, so this test can't see by it when nginx has
            # ended.
            port = self.takePort()
            self.write("nginx.conf", _NGINX.format(port=port))
            node = self.node(
                *("--app-port", str(port), "--send-proxy", version, "--ready-path", "/"),
                *("--", nginx),
            )
            edge = self.serve(
                *("--port", ANYWHERE, "--node-port", ANYWHERE, "--spawn", node),
                *("--proxy-trust", _CLIENT),
            )
            where = int((await self.address(edge)).rpartition(":")[2])
            self.assertRegex(await self.curl(where), rf"^{_CLIENT}:\d+ 127\.0\.0\.1:{where}$")
            await self.stopped(edge)

    async def curl(self, port: int) -> str:
        """
        @return: what curl gets when it sends a PROXY header, as a proxy does.
        """
        url = f"http://127.0.0.1:{port}/"
        curl = self.start("curl", "-sS", "--interface", _CLIENT, "--haproxy-protocol", url)
        self.assertEqual(await self.ended(curl), 0, curl.err)
        return curl.out
