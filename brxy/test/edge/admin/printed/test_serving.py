"""
Tests of L{brxy.edge.admin.printed.serving}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.following import BEAT
from brxy.edge.admin.printed.serving import Printing
from brxy.edge.admin.printed.tails import Tails
from brxy.test.support.memory.admins import AdminClient, MemoryAdmin, ask
from brxy.test.support.memory.network import FakeReactor

__all__ = ["PrintingTests"]


class PrintingTests(SynchronousTestCase):
    """
    Tests of C{GET /v1/routes/HOST/logs}.
    """

    def setUp(self) -> None:
        self.tails = Tails()
        self.tails.begin("shop", "a")
        self.tails.begin("shop", "b")
        self.tails.begin("blog", "c")
        reactor = FakeReactor()
        self.admin = MemoryAdmin(Printing(reactor, self.tails).endpoints(), reactor=reactor)
        self.addCleanup(self.admin.server.abort)

    def say(self, *lines: str) -> None:
        """
        Have instances print: C{a 1}.
        """
        for each in lines:
            ticket, _, text = each.partition(" ")
            self.tails.add(ticket, text, 7.0)
        self.admin.settle()

    def get(self, query: str = "") -> Any:
        """
        Ask for the lines of a route.
        """
        return self.admin.send(ask(f"/v1/routes/shop/logs{query}"))

    def sent(self, client: AdminClient) -> list[str]:
        """
        @return: the lines that a follower got.
        """
        lines = bytes(client.received).split(b"\n")
        return [json.loads(each[6:])["line"] for each in lines if each.startswith(b"data: ")]

    def test_lines(self) -> None:
        """
        The lines of a route, of one instance, or the last of them.
        """
        self.say("a 1", "b 2", "c 3", "a 4")
        self.assertEqual(
            self.get().value(),
            {
                "lines": [
                    {"time": 7.0, "ticket": "a", "line": "1"},
                    {"time": 7.0, "ticket": "b", "line": "2"},
                    {"time": 7.0, "ticket": "a", "line": "4"},
                ]
            },
        )
        for query, expected in (
            ("?ticket=b", "2"),
            ("?lines=2", "24"),
            ("?lines=0", ""),
            ("?lines=2&ticket=a", "14"),
        ):
            lines = self.get(query).value()["lines"]
            self.assertEqual("".join(each["line"] for each in lines), expected, query)

    def test_wrong(self) -> None:
        """
        What has no meaning is refused.
        """
        for query in ("?lines=x", "?lines=-1", "?follow=yes", "?line=1"):
            self.assertEqual(self.get(query).statuses, [400], query)

    def test_followed(self) -> None:
        """
        A follower gets the last lines, then each that comes, and signs of life.
        """
        self.say("a 1", "a 2")
        client = self.get("?follow=true&lines=1")
        self.say("c 3", "b 4")
        self.say("a 5")
        self.assertEqual(self.sent(client), ["2", "4", "5"])
        before = len(client.received)
        self.admin.wait(BEAT + 1)
        self.assertEqual(client.received[before:], b"3\r\n:\n\n\r\n")

    def test_many(self) -> None:
        """
        A follower gets all lines that are kept, in their order.
        """
        self.say(*(f"a {number}" for number in range(500)))
        client = self.get("?follow=true")
        self.say(*(f"b {number}" for number in range(500, 900)))
        self.assertEqual(self.sent(client), [str(number) for number in range(900)])
