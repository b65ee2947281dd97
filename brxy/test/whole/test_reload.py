"""
Tests of the signals that a running edge handles.
"""

from __future__ import annotations

import os
import signal

from twisted.logger import capturedLogs, formatEvent

from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.peers import answer, webApp

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class SignalTests(EdgeTests):
    """
    Tests of SIGHUP, which reloads files, and SIGUSR2, which rolls.
    """

    async def test_roll(self) -> None:
        """
        After SIGUSR2 every instance is replaced by a newer one.
        """
        spawner = self.launch(webApp(answer()))
        await self.ask(_GET)
        (first,) = spawner.alive
        os.kill(os.getpid(), signal.SIGUSR2)
        await self.until(lambda: first.is_gone)
        self.assertEqual(len(spawner.orders), 2)
        self.assertEqual((await self.ask(_GET)).status, 200)
        self.assertEqual(len(spawner.orders), 2)

    async def test_reload(self) -> None:
        """
        After SIGHUP the log says that files are read, and no instance is
        replaced.
        """
        spawner = self.launch(webApp(answer()))
        await self.ask(_GET)
        with capturedLogs() as events:
            os.kill(os.getpid(), signal.SIGHUP)
            await self.until(
                lambda: [
                    event
                    for event in events
                    if "reading certificates" in (formatEvent(event) or "")
                ]
            )
        self.assertEqual((await self.ask(_GET)).status, 200)
        self.assertEqual(len(spawner.orders), 1)
