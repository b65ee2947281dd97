"""
Tests of L{brxy.edge.clients.admission}, and of the events of full ports.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.admission import LEARNED_SLOTS, Admission, clientsAllowed
from brxy.edge.events import ClientsFull, Event, Events


class _Port:
    """
    A port that counts how often it stops and starts accepting.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def stopReading(self) -> None:
        self.calls.append("stop")

    def startReading(self) -> None:
        self.calls.append("start")


class DescriptorsTests(SynchronousTestCase):
    """
    Tests of L{clientsAllowed}.
    """

    def test_kept(self) -> None:
        """
        The descriptors that instances need are reserved, at most half of all.
        """
        self.assertEqual(clientsAllowed(2048, 100, 1), 2048 - 520)
        self.assertEqual(clientsAllowed(20_000, 100, 50), 20_000 - 5420)
        self.assertEqual(clientsAllowed(4096, 100, LEARNED_SLOTS), 4096 - 1420)
        self.assertEqual(clientsAllowed(256, 100, 1), 128)
        self.assertEqual(clientsAllowed(1, 100, 1), 1)


class AdmissionTests(SynchronousTestCase):
    """
    Tests of L{Admission}.
    """

    def setUp(self) -> None:
        self.now = 0.0
        self.files = 100
        self.events: list[Event] = []
        self.port: Any = _Port()
        self.admission = Admission(
            40,
            lambda files: files // 2,
            lambda: self.now,
            Events([self.events.append]),
            lambda: self.files,
        )
        self.admission.watch(self.port)

    def enter(self, number: int) -> None:
        """
        Have a number of clients connect.
        """
        for _ in range(number):
            self.assertGreater(self.admission.room(), 0)
            self.admission.connectionEntered()

    def test_full(self) -> None:
        """
        At the maximum the ports stop accepting, and start again when a client has left.
        """
        self.enter(40)
        self.assertEqual(self.admission.room(), 0)
        self.assertEqual((self.admission.count, self.port.calls), (40, ["stop"]))
        self.admission.connectionLeft()
        self.assertEqual((self.admission.count, self.port.calls), (39, ["stop", "start"]))

    def test_files(self) -> None:
        """
        The limit of open files counts if it allows less, as it is at that time.
        """
        self.files = 20
        self.enter(10)
        self.assertEqual(self.admission.room(), 0)
        self.files = 24
        self.assertEqual(self.admission.room(), 2)

    def test_events(self) -> None:
        """
        Full ports are an event, but not for each client.
        """
        self.enter(40)
        for now in (0.0, 59.0, 60.0):
            self.now = now
            self.admission.room()
            self.admission.connectionLeft()
            self.enter(1)
        self.assertEqual(self.events, [ClientsFull(40)] * 2)

    def test_leave(self) -> None:
        """
        Ports that are being closed neither stop nor start.
        """
        self.enter(40)
        self.admission.leave()
        self.admission.room()
        self.admission.connectionLeft()
        self.assertEqual(self.port.calls, [])
