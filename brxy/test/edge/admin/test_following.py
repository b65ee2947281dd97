"""
Tests of L{brxy.edge.admin.following} and L{brxy.edge.admin.journal}.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.following import BEAT, Following
from brxy.edge.admin.journal import KEPT, Journal
from brxy.edge.events import CertificateExpires, Holding, Ready, Unclaimed
from brxy.test.support.memory.admins import AdminClient, MemoryAdmin, ask
from brxy.test.support.memory.network import FakeReactor


class FollowingTests(SynchronousTestCase):
    """
    Tests of C{GET /v1/events}.
    """

    def setUp(self) -> None:
        self.journal = Journal(lambda: 1000.0625)
        reactor = FakeReactor()
        following = Following(reactor, self.journal)
        self.admin = MemoryAdmin(following.endpoints(), reactor=reactor)
        self.addCleanup(self.admin.server.abort)

    def emit(self, *hosts: str) -> None:
        for host in hosts:
            self.journal(Holding(host))
        self.admin.settle()

    def follow(self, query: str = "", client: AdminClient | None = None, **fields: Any) -> Any:
        return self.admin.send(ask(f"/v1/events{query}", **fields), client=client)

    def sent(self, client: AdminClient) -> list[dict[str, Any]]:
        """
        @return: the events that a client got.
        """
        lines = bytes(client.received).split(b"\n")
        return [json.loads(each[6:]) for each in lines if each.startswith(b"data: ")]

    def test_views(self) -> None:
        """
        An event has its number, its time, its text in the log, and its values.
        """
        self.journal(Ready("a", "1f", 0.12345))
        self.journal(CertificateExpires("x.pem", datetime(2030, 1, 2, tzinfo=UTC)))
        self.journal(Unclaimed("app", ["a/1", "b/2"], "e"))
        value = self.follow("?follow=false").value()
        first, second, third = value["events"]
        self.assertEqual(
            first,
            {
                "id": f"{self.journal.run}-1",
                "seq": 1,
                "time": 1000.062,
                "event": "ready",
                "level": "info",
                "text": "a/1f: ready after 0.123 s",
                "route": "a",
                "ticket": "1f",
                "seconds": 0.123,
            },
        )
        self.assertEqual(second["event"], "certificate_expires")
        self.assertEqual(second["end"], "2030-01-02T00:00:00+00:00")
        self.assertEqual(third["names"], "a/1, b/2")
        self.assertEqual(value["last"], f"{self.journal.run}-3")

    def test_live(self) -> None:
        """
        A client gets what was before, and then what happens, and signs of life.
        """
        self.emit("a", "b")
        client = self.follow()
        self.emit("c")
        self.assertEqual([each["route"] for each in self.sent(client)], ["a", "b", "c"])
        self.assertIn(b"\r\nContent-Type: text/event-stream\r\n", client.received)
        before = len(client.received)
        self.admin.wait(BEAT + 1)
        self.assertEqual(client.received[before:], b"3\r\n:\n\n\r\n")

    def test_again(self) -> None:
        """
        A client that connects again gets what it has not had; of another run of the edge it
        has had nothing.
        """
        self.emit("a", "b", "c")
        cases: list[tuple[dict[str, Any], str, str]] = [
            ({"Last_Event_ID": f"{self.journal.run}-2"}, "", "c"),
            ({}, f"?after={self.journal.run}-1", "bc"),
            ({"Last_Event_ID": f"{self.journal.run}-99"}, "", ""),
            ({"Last_Event_ID": "0000-2"}, "", "abc"),
        ]
        for fields, query, routes in cases:
            client = self.follow(query, **fields)
            self.assertEqual("".join(each["route"] for each in self.sent(client)), routes)
        for wrong in ("2", "x-y", f"{self.journal.run}-²"):
            self.assertEqual(self.follow("?after=" + wrong.encode().hex()).statuses, [400])

    def test_host(self) -> None:
        """
        A client may follow some routes only.
        """
        client = self.follow("?host=*.Example.com")
        self.emit("a.example.com", "example.com", "b.example.com")
        found = [each["route"] for each in self.sent(client)]
        self.assertEqual(found, ["a.example.com", "b.example.com"])

    def test_kept(self) -> None:
        """
        Only the last events are kept; a new client has missed none.
        """
        self.emit(*map(str, range(KEPT + 5)))
        events = self.sent(self.follow())
        self.assertEqual(len(events), KEPT)
        self.assertEqual((events[0]["route"], events[0]["seq"]), ("5", 6))

    def test_slow(self) -> None:
        """
        A client that takes nothing for a while costs no memory, and is sent how much it has
        missed.
        """
        client = self.admin.connect(1000)
        self.follow(client=client)
        client.end.pauseProducing()
        for number in range(KEPT + 500):
            self.emit(str(number))
        held = len(client.end.pending())
        self.assertLess(held, 10_000)
        client.end.resumeProducing()
        self.admin.settle()
        events = self.sent(client)
        [missed] = [each for each in events if each["event"] == "missed"]
        self.assertEqual(missed["count"] + len(events) - 1, KEPT + 500)
        self.assertEqual(events[-1]["route"], str(KEPT + 499))

    def test_gone(self) -> None:
        """
        Nothing is left of a client that has gone.
        """
        client = self.follow()
        self.emit("a")
        client.end.abortConnection()
        self.admin.settle()
        self.emit("b")
        self.admin.wait(60)
        self.assertEqual(self.admin.reactor.getDelayedCalls(), [])
