"""
Tests of what the edge's log says, and of what it leaves out.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent

from brxy.test.edges import LOOPBACK, EdgeTests
from brxy.test.peers import answer, webApp

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class LogTests(EdgeTests):
    """
    A person can follow the log.

    @ivar events: all that was logged.
    """

    def setUp(self) -> None:
        super().setUp()
        self.events = self.enterContext(capturedLogs())

    def saying(self, text: str) -> list[LogLevel]:
        """
        @return: the levels of brxy's lines with this text.
        """
        return [
            event["log_level"]
            for event in self.events
            if event.get("log_namespace", "").startswith("brxy.")
            and text in (formatEvent(event) or "")
        ]

    async def test_held(self) -> None:
        """
        That clients are held is said once, not for each of them.
        """
        spawner = self.launch(webApp(answer()))
        spawner.holding = True
        peers = [await self.connect() for _ in range(2)]
        for peer in peers:
            peer.write(_GET)
        await self.until(lambda: len(spawner.orders) == 2)
        spawner.release()
        for peer in peers:
            self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(self.saying("a: holding clients"), [LogLevel.info])

    async def test_notHeld(self) -> None:
        """
        While nothing can be started clients are not held, and the log doesn't
        say so; that it can't is said once for each order.
        """
        spawner = self.launch(webApp(answer()))
        spawner.failure = "no such thing"
        for _ in range(3):
            self.assertEqual((await self.ask(_GET)).status, 503)
        self.assertEqual(len(spawner.orders), 1)
        self.assertEqual(self.saying("a: can't be started: no such thing"), [LogLevel.warn])
        self.assertEqual(len(self.saying("a: holding clients")), 1)

    def test_strangers(self) -> None:
        """
        A port where anybody can be a node is warned of.
        """
        self.startEdge(node_ports=[LOOPBACK, "tcp:0:interface=0.0.0.0"])
        port = self.edge.node_addresses[1].port
        self.assertEqual(
            self.saying("can serve any route"),
            self.saying(f"whoever reaches 0.0.0.0:{port} can serve any route"),
        )
        self.assertEqual(self.saying("can serve any route"), [LogLevel.warn])

    def test_noStrangers(self) -> None:
        """
        With a token, or where only this machine comes, there is no warning.
        """
        self.startEdge(node_ports=["tcp:0:interface=0.0.0.0"], token="secret")
        self.startEdge(node_ports=[LOOPBACK, f"unix:{self.mktemp()}"])
        self.assertEqual(self.saying("can serve any route"), [])
