"""
Tests of what the edge logs, and of what it does not.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent

from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.peers import answer, webApp

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class LogTests(EdgeTests):
    """
    Tests that the log is readable.

    @ivar events: all events that were logged.
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
        The log says once that clients are held, not for each client.
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
        While nothing can be started no clients are held, and the log does not
        report any. It reports the failure once for each order.
        """
        spawner = self.launch(webApp(answer()))
        spawner.failure = "no such thing"
        for _ in range(3):
            self.assertEqual((await self.ask(_GET)).status, 503)
        self.assertEqual(len(spawner.orders), 1)
        self.assertEqual(
            self.saying("a: cannot start an instance: no such thing"), [LogLevel.warn]
        )
        self.assertEqual(len(self.saying("a: holding clients")), 1)
