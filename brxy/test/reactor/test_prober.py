"""
Tests of L{brxy.reactor.prober}.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.prober import Prober


class ProberTests(SynchronousTestCase):
    """
    Tests of L{Prober}, behind endpoints.
    """

    def probe(self, endpoint: str) -> str | None:
        """
        @return: why an endpoint can't be opened.
        """
        reactor: Any = Prober()
        probed: Any = serverFromString(reactor, endpoint).listen(Factory())
        found: list[str | None] = []
        probed.addCallbacks(
            lambda _: found.append(None),
            lambda failure: found.append(
                failure.trap(CannotListenError) and failure.value.socketError.strerror
            ),
        )
        return found[0]

    def test_ports(self) -> None:
        """
        A port that is taken is found, and one that is free stays free.
        """
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as taken:
                taken.bind((host, 0))
                taken.listen()
                escaped = host.replace(":", r"\:")
                endpoint = f"tcp:{taken.getsockname()[1]}:interface={escaped}"
                self.assertEqual(self.probe(endpoint), "Address already in use")
            self.assertIsNone(self.probe(endpoint))
            self.assertIsNone(self.probe(endpoint))

    def test_sockets(self) -> None:
        """
        So it is with a Unix socket; one that was left over is no obstacle, and nothing is
        made.
        """
        folder = self.mktemp()
        self.assertEqual(self.probe(f"unix:{folder}/socket"), "No such file or directory")
        os.mkdir(folder)
        self.assertIsNone(self.probe(f"unix:{folder}/socket"))
        self.assertEqual(os.listdir(folder), [])
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(f"{folder}/socket")
            taken.listen()
            self.assertEqual(self.probe(f"unix:{folder}/socket"), "Address already in use")
        self.assertIsNone(self.probe(f"unix:{folder}/socket"))
