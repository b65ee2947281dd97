"""
Tests of which nodes an edge accepts: edge and node in the process of the test
run, on loopback.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import directlyProvides, providedBy

from brxy.edge.config.settings import Allowed, EdgeSettings, NodeTLSFiles
from brxy.edge.service import EdgeService
from brxy.errors import UsageError
from brxy.interfaces import Address
from brxy.node.dial import EdgeTLS
from brxy.node.service import NodeService
from brxy.node.settings import NodeSettings
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.papers import Papers
from brxy.test.support.loopback.peers import Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class _DiallingReactor:
    """
    A reactor that notes the times of its connections.
    """

    def __init__(self, reactor: Any, app: Address, times: list[float]) -> None:
        self._reactor = reactor
        self._app = app
        self._times = times
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(self, *arguments: Any, **options: Any) -> Any:
        # A node connects to its app as well.
        if Address(*arguments[:2]) != self._app:
            self._times.append(self._reactor.seconds())
        return self._reactor.connectTCP(*arguments, **options)


class _NodeTests(EdgeTests):
    """
    Base of tests with nodes that were not spawned.

    @ivar app: the address of their app.
    @ivar attempts: the times at which nodes have dialled (seconds).
    """

    spawner_type = NodeSpawner

    def setUp(self) -> None:
        super().setUp()
        self.app: Address = self.startApp(webApp(answer()))
        self.papers = Papers(self.mktemp())
        self.events = self.enterContext(capturedLogs())
        self.attempts: list[float] = []

    def said(self, text: str) -> list[str]:
        """
        @return: brxy's warnings that contain this text.
        """
        return self.heard(text, LogLevel.warn)

    def tokenFile(self, token: str = "shared") -> str:
        """
        @return: a file with this token.
        """
        path = Path(self.mktemp())
        path.write_text(token)
        return str(path)

    def listen(self, **settings: Any) -> None:
        """
        Start an edge for nodes that were started separately.
        """
        self.startEdge(**{"node_ports": [LOOPBACK], **settings})
        # A node in this process would install its own handler of the signal.
        self.hang_up: Any = signal.getsignal(signal.SIGHUP)

    @property
    def place(self) -> str:
        """
        @return: the address that nodes dial.
        """
        return f"tcp:127.0.0.1:{self.edge.node_addresses[0].port}"

    def node(self, route: str = "a", place: str = "", **settings: Any) -> NodeService:
        """
        Start a node; it is stopped after the test.
        """
        given: dict[str, Any] = {"capacity": 1, "app": self.app, "drain_timeout": 0.0, **settings}
        node = NodeService(
            _DiallingReactor(self.edge_reactor, self.app, self.attempts),
            NodeSettings(edge=place or self.place, route=route, **given),
            lambda status: None,
        )
        node.startService()
        self.addCleanup(lambda: node.stopService() if node.running else None)
        return node

    async def reload(self) -> None:
        """
        Have the edge reload its files.
        """
        self.hang_up(signal.SIGHUP, None)
        await self.until(lambda: self.heard("reading certificates and tokens again"))

    def heard(self, text: str, least: Any = LogLevel.info) -> list[str]:
        """
        @return: brxy's lines that contain this text.
        """
        lines = [
            formatEvent(event)
            for event in self.events
            if event.get("log_namespace", "").startswith("brxy.") and event["log_level"] >= least
        ]
        return [line for line in lines if line and text in line]

    async def assertServes(self, route: bytes = b"a") -> None:
        """
        Check that a request is answered.
        """
        request = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % route
        self.assertEqual((await self.ask(request)).status, 200)

    async def assertRefused(self, edge: str, node: str = "") -> None:
        """
        Check that the node is refused repeatedly, with pauses. One line at the
        edge and one at the node give the reason.

        @param edge: the reason in the edge's log; C{""}: it logs nothing of
            it.
        @param node: the reason in the node's log, if it differs.
        """
        await self.until(lambda: len(self.attempts) >= 3)
        # The shortest pauses of L{brxy.node.link}, whose tests show how they grow. A busy
        # machine adds to them.
        first, _, third, *_ = self.attempts
        self.assertGreaterEqual(third - first, 0.375)
        # The edge itself has given its reason; TLS gives another one to each side.
        refuses = bool(edge) and node in ("", edge)
        [line] = self.said("refuses this node: " if refuses else "no connection to the edge at ")
        self.assertIn(f": {node or edge}", line)
        self.assertTrue(line.endswith("; retrying"), line)
        refused = self.said("refused a node from ")
        self.assertEqual(len(refused), 1 if edge else 0, refused)
        for line in refused:
            self.assertIn(f"refused a node from 127.0.0.1: {edge}", line)
        self.assertEqual(len(self.said("")), 1 + len(refused), self.said(""))
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual((await self.ask(_GET)).status, 503)


@onBothTransports
class TokenTests(_NodeTests):
    """
    Tests of nodes with tokens.
    """

    async def test_spawned(self) -> None:
        """
        A node that the edge has spawned needs only what the edge gave it.
        """
        spawner = self.launch(webApp(answer()))
        await self.assertServes()
        [order] = spawner.orders
        self.assertEqual(len(order.environment["BRXY_TOKEN"]), 64)

    async def test_shared(self) -> None:
        """
        A node that was started separately presents the token of
        C{--token-file}.
        """
        self.listen(token_file=self.tokenFile())
        self.node(token_file=self.tokenFile())
        await self.assertServes()

    async def test_none(self) -> None:
        """
        A node without a token is refused.
        """
        self.listen(token_file=self.tokenFile(), hold_timeout=0.1)
        self.node()
        await self.assertRefused("a node must bring a token: give it the edge's --token-file")

    async def test_wrong(self) -> None:
        """
        A node with a wrong token is refused.
        """
        self.listen(token_file=self.tokenFile(), hold_timeout=0.1)
        self.node(token="wrong")
        await self.assertRefused("its token is not the edge's, or is for another route")

    async def test_anotherRoute(self) -> None:
        """
        A node with the token and the ticket of another route is refused.
        """
        spawner = self.launch(webApp(answer()), {"pattern": "b"}, hold_timeout=0.1)
        await self.ask(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
        [order] = spawner.orders
        given = order.environment
        self.node(token=given["BRXY_TOKEN"], ticket=given["BRXY_TICKET"])
        await self.until(lambda: len(self.attempts) >= 3)
        [line] = self.said("refused a node")
        self.assertIn("its token is not the edge's, or is for another route", line)

    async def test_anotherTicket(self) -> None:
        """
        A node with the token of another order for the same route is refused.
        """
        spawner = self.launch(webApp(answer()))
        await self.assertServes()
        token = spawner.orders[0].environment["BRXY_TOKEN"]
        for ticket in ("", "another"):
            self.attempts.clear()
            self.node(token=token, ticket=ticket)
            await self.until(lambda: len(self.attempts) >= 2)
        [line] = self.said("refused a node")
        self.assertIn("its token is not the edge's", line)

    async def test_secondInstance(self) -> None:
        """
        A second instance with the token and the ticket of another is refused.
        """
        spawner = self.launch(webApp(answer()))
        await self.assertServes()
        given = spawner.orders[0].environment
        self.node(token=given["BRXY_TOKEN"], ticket=given["BRXY_TICKET"])
        await self.until(lambda: len(self.attempts) >= 3)
        [line] = self.said("refused a node")
        self.assertIn("its ticket belongs to another instance", line)
        [line] = self.said("refuses this node: ")
        self.assertIn("its ticket belongs to another instance; retrying", line)

    async def test_notAllowed(self) -> None:
        """
        A node with the token of the file is refused for a route that
        C{--node-allow} does not allow.
        """
        self.listen(token_file=self.tokenFile(), allowed=[Allowed("token", "b")], hold_timeout=0.1)
        self.node(token="shared")
        await self.assertRefused("no --node-allow lets it serve a")

    async def test_manySlots(self) -> None:
        """
        The refusal of a node that opens many slots is logged in one line.
        """
        self.listen(hold_timeout=0.1)
        self.node(capacity=10)
        await self.until(lambda: len(self.attempts) >= 30)
        self.assertEqual(len(self.said("refused a node")), 1)
        self.assertEqual(len(self.said("refuses this node: ")), 1)

    async def test_restart(self) -> None:
        """
        The credentials of a spawned node are valid for the next edge with the
        same state, and for none with another.
        """
        state = self.mktemp()
        spawner = self.launch(webApp(answer()), state_dir=state)
        await self.assertServes()
        given = spawner.orders[0].environment
        await self.edge.stopService()
        for folder, good in ((state, True), (self.mktemp(), False)):
            self.listen(state_dir=folder)
            self.node(token=given["BRXY_TOKEN"], ticket=given["BRXY_TICKET"])
            if good:
                await self.assertServes()
            else:
                await self.until(lambda: self.said("its token is not the edge's"))

    async def test_newToken(self) -> None:
        """
        After SIGHUP the edge requires the file's new token, and nodes that are
        connected already stay. A node reads its own file each time it dials.
        """
        edge, node, another = (self.tokenFile("old") for _ in range(3))
        self.listen(token_file=edge)
        self.node(token_file=node)
        await self.assertServes()
        Path(edge).write_text("new")
        await self.reload()
        await self.assertServes()
        self.node("b", token_file=another)
        await self.until(lambda: self.said("refused a node"))
        Path(another).write_text("new")
        await self.assertServes(b"b")

    async def test_noNewToken(self) -> None:
        """
        When the file can't be read the old token stays valid.
        """
        path = self.tokenFile()
        self.listen(token_file=path)
        os.unlink(path)
        await self.reload()
        [line] = self.said("keeping what was read before")
        self.assertTrue(line.endswith(f": --token-file {path}: No such file or directory"))
        self.node(token="shared")
        await self.assertServes()

    async def test_noFile(self) -> None:
        """
        A node whose token file is gone logs that once, and is accepted when
        the file is back.
        """
        self.listen(token_file=self.tokenFile())
        path = self.mktemp()
        self.node(token_file=path)
        await self.until(lambda: self.said("retrying"))
        [line] = self.said("no connection to the edge at")
        self.assertIn(f": --token-file {path}: No such file or directory; retrying", line)
        Path(path).write_text("shared")
        await self.assertServes()
        self.assertEqual(self.said("refused"), [])


@onBothTransports
class CertificateTests(_NodeTests):
    """
    Tests of nodes that connect over TLS.
    """

    async def refuse(
        self, edge: NodeTLSFiles, node: EdgeTLS | None, at_edge: str, at_node: str, **settings: Any
    ) -> None:
        """
        Check that an edge and a node refuse each other.
        """
        self.listen(node_tls=edge, hold_timeout=0.1, **settings)
        self.node(tls=node)
        await self.assertRefused(at_edge, at_node)

    async def test_mutual(self) -> None:
        """
        A node with a certificate from the edge's CA needs no token, and may
        serve any route.
        """
        self.listen(node_tls=self.papers.edge())
        self.node(tls=self.papers.node("web1"), capacity=2)
        await self.assertServes()
        self.assertEqual(self.said(""), [])

    async def test_edgeOnly(self) -> None:
        """
        An edge that requires no certificates accepts a token, as it does
        without TLS.
        """
        spawner = self.launch(webApp(answer()), node_tls=self.papers.edge(ca=None))
        spawner.holding = True
        served = self.begin(self.assertServes())
        await self.until(lambda: spawner.orders)
        given = spawner.orders[0].environment
        self.node(token=given["BRXY_TOKEN"], ticket=given["BRXY_TICKET"], tls=self.papers.node())
        await served

    async def test_names(self) -> None:
        """
        The edge's name, which may be an address, is the one in its
        certificate. A node that is given a different name than the address
        that it dials checks that name.
        """
        self.listen(node_tls=self.papers.edge("edge.example.net", "::1"))
        for number, name in enumerate(("edge.example.net", "EDGE.example.net", "::1")):
            self.node(f"r{number}", tls=self.papers.node("web1", name=name))
            await self.assertServes(b"r%d" % number)

    async def test_bulk(self) -> None:
        """
        Bodies of some length pass in both directions, and so do half-closes.
        """
        body = random.Random(0).randbytes(2**20)

        async def echo(request: Message, peer: Peer) -> None:
            peer.write(answer(request.body))

        self.app = self.startApp(webApp(echo))
        self.listen(node_tls=self.papers.edge())
        self.node(tls=self.papers.node("web1"))
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        response = await self.ask(head + body, b"POST")
        self.assertTrue(response.body == body)

    async def test_noCertificate(self) -> None:
        """
        A node without a certificate is refused.
        """
        await self.refuse(
            *(self.papers.edge(), self.papers.node()),
            "TLS: peer did not return a certificate",
            "TLS: the other side says: certificate required",
        )

    async def test_anotherAuthority(self) -> None:
        """
        A node with a certificate from another CA is refused, whether the CA
        has the same name or a different one.
        """
        others = Papers(self.mktemp())
        await self.refuse(
            *(self.papers.edge(), others.node("web1", ca=self.papers.ca)),
            "its certificate is of no authority that is trusted here",
            "TLS: the other side says: unknown ca",
        )

    async def test_expired(self) -> None:
        """
        A node whose certificate has expired is refused.
        """
        await self.refuse(
            *(self.papers.edge(), self.papers.node("web1", days=-1)),
            "its certificate has expired",
            "TLS: the other side says: certificate expired",
        )

    async def test_anotherName(self) -> None:
        """
        A node is refused if C{--node-allow} does not contain the name in its
        certificate.
        """
        why = "no --node-allow lets it serve a"
        allowed = [Allowed("web1", None)]
        node = self.papers.node("web2")
        await self.refuse(self.papers.edge(), node, why, why, allowed=allowed)

    async def test_anotherRoute(self) -> None:
        """
        A node with a certificate that is valid for another route only is
        refused.
        """
        allowed = [Allowed("web1", "b"), Allowed("web2", "a")]
        self.listen(node_tls=self.papers.edge(), allowed=allowed, hold_timeout=0.1)
        self.node(tls=self.papers.node("web1"))
        await self.assertRefused("no --node-allow lets it serve a")
        self.node(tls=self.papers.node("web2", "more.example.net"))
        await self.until(lambda: self.heard("ready after"))
        await self.assertServes()

    async def test_wrongToken(self) -> None:
        """
        A certificate does not make up for a wrong token.
        """
        self.listen(node_tls=self.papers.edge(), hold_timeout=0.1)
        self.node(tls=self.papers.node("web1"), token="wrong")
        await self.assertRefused("its token is not the edge's, or is for another route")

    async def test_noToken(self) -> None:
        """
        A node without a token is refused by an edge that requires no
        certificates.
        """
        token = self.tokenFile()
        self.listen(node_tls=self.papers.edge(ca=None), token_file=token, hold_timeout=0.1)
        self.node(tls=self.papers.node())
        await self.assertRefused("a node must bring a token: give it the edge's --token-file")

    async def test_edgeOfAnotherName(self) -> None:
        """
        A node refuses an edge with a certificate for another name.
        """
        await self.refuse(
            *(self.papers.edge("other.example.net"), self.papers.node("web1")),
            "TLS: the other side says: ",
            "its certificate is not for 127.0.0.1",
        )

    async def test_inTheMiddle(self) -> None:
        """
        A node refuses a server between itself and the edge that has a
        self-made certificate.
        """
        others = Papers(self.mktemp())
        await self.refuse(
            *(others.edge(), self.papers.node("web1")),
            "TLS: the other side says: unknown ca",
            "its certificate is of no authority that is trusted here",
        )

    async def test_edgeExpired(self) -> None:
        """
        A node refuses an edge whose certificate has expired.
        """
        await self.refuse(
            *(self.papers.edge(days=-1), self.papers.node("web1")),
            "TLS: the other side says: certificate expired",
            "its certificate has expired",
        )

    async def test_withoutTLS(self) -> None:
        """
        A node without TLS sends nothing secret but its token.
        """
        self.listen(node_tls=self.papers.edge(), hold_timeout=0.1)
        self.node(token="secret")
        await self.until(lambda: len(self.attempts) >= 3)
        self.assertEqual(len(self.said("refused a node from 127.0.0.1: TLS: ")), 1)
        self.assertEqual(len(self.said("no connection to the edge at ")), 1)

    async def test_edgeWithoutTLS(self) -> None:
        """
        A node sends nothing secret to an edge without TLS.
        """
        self.listen(hold_timeout=0.1)
        self.node(tls=self.papers.node("web1"), token="secret")
        await self.until(lambda: len(self.attempts) >= 3)
        [line] = self.said("no connection to the edge at ")
        self.assertIn(": TLS: ", line)
        self.assertEqual(len(self.said("refused a node from 127.0.0.1: ")), 1)

    async def test_renewed(self) -> None:
        """
        After SIGHUP the edge presents and accepts the certificates that its
        files contain then, and nodes that are connected already stay. A node
        reads its own files when it dials.
        """
        edge = self.papers.edge()
        self.listen(node_tls=edge)
        self.node(tls=self.papers.node("web1"))
        await self.assertServes()
        others = Papers(self.mktemp())
        node = others.node("web2", ca=f"{self.mktemp()}")
        shutil.copy(self.papers.ca, node.ca)
        shutil.copy(others.ca, self.papers.ca)
        for path, source in zip(
            (edge.certificate, edge.key), others.issue("127.0.0.1"), strict=True
        ):
            shutil.copy(source, path)
        await self.reload()
        await self.assertServes()
        self.node("b", tls=node)
        await self.until(lambda: self.said("is of no authority that is trusted here"))
        shutil.copy(others.ca, node.ca)
        await self.assertServes(b"b")

    async def test_notRenewed(self) -> None:
        """
        Files that don't match change nothing.
        """
        files = self.papers.edge()
        self.listen(node_tls=files)
        shutil.copy(self.papers.issue("other")[1], files.key)
        await self.reload()
        [line] = self.said("keeping what was read before")
        self.assertIn(files.certificate, line)
        self.node(tls=self.papers.node("web1"))
        await self.assertServes()


class PortTests(_NodeTests):
    """
    Tests of the ports that an edge opens for nodes.
    """

    def start(self, **settings: Any) -> str:
        """
        @return: why an edge does not start; C{""} if it does.
        """
        edge = EdgeService(self.edge_reactor, EdgeSettings(ports=[LOOPBACK], **settings))
        self.addCleanup(lambda: edge.stopService())
        try:
            edge.startService()
        except UsageError as error:
            return str(error)
        return ""

    def test_elsewhere(self) -> None:
        """
        A port that can be reached from elsewhere is not opened without
        encryption.
        """
        for address in ("0.0.0.0", r"\:\:"):
            port = f"tcp:0:interface={address}"
            why = self.start(node_ports=[port])
            self.assertEqual(
                why,
                f"--node-port {port} can be reached from elsewhere: give --node-tls-cert and"
                " --node-tls-key, or --insecure-node-port if its network is private",
            )
            self.assertEqual(self.start(node_ports=[port], insecure_node_port=True), "")
            self.assertEqual(self.start(node_ports=[port], node_tls=self.papers.edge()), "")

    def test_here(self) -> None:
        """
        On loopback and on a Unix socket a port may be opened without TLS.
        """
        loopback = (LOOPBACK, "tcp:0:interface=127.0.0.2", r"tcp:0:interface=\:\:1")
        self.assertEqual(self.start(node_ports=[*loopback, f"unix:{self.mktemp()}"]), "")

    def test_lonely(self) -> None:
        """
        An edge that no node can connect to logs that.
        """
        warning = "no node can authenticate: give a --token-file"
        certificate = self.papers.edge(ca=None)
        for settings, lonely in (
            ({}, True),
            ({"node_tls": certificate}, True),
            ({"node_ports": []}, False),
            ({"token_file": self.tokenFile()}, False),
            ({"node_tls": self.papers.edge()}, False),
        ):
            before = len(self.said(warning))
            self.start(**{"node_ports": [LOOPBACK], **settings})
            self.assertEqual(len(self.said(warning)) - before, int(lonely), settings)
        self.launch(webApp(answer()))
        self.assertEqual(len(self.said(warning)), 2)

    def test_files(self) -> None:
        """
        Files that can't be used are reported.
        """
        files = self.papers.edge()
        for changes, why in (
            ({"certificate": "/none"}, "/none: No such file or directory"),
            ({"ca": files.key}, f"{files.key}: there is no certificate in it"),
            ({"key": files.certificate}, f"{files.certificate}: there is no private key in it"),
        ):
            settings = EdgeSettings(ports=[], node_tls=evolve(files, **changes))
            error = self.assertRaises(UsageError, EdgeService, self.edge_reactor, settings)
            self.assertEqual(str(error), why)

    async def test_unixFirst(self) -> None:
        """
        Nodes that the edge spawns connect to the Unix socket, where they need
        only their token.
        """
        path = self.mktemp()
        spawner = self.launch(
            webApp(answer()),
            node_ports=[LOOPBACK, f"unix:{path}"],
            node_tls=self.papers.edge(),
        )
        await self.assertServes()
        self.assertEqual(spawner.orders[0].environment["BRXY_EDGE"], f"unix:{path}")
