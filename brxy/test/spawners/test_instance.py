"""
Tests of L{brxy.spawners.instance}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.interfaces import Address, Gone, IInstance
from brxy.spawners.instance import BaseInstance


class BaseInstanceTests(SynchronousTestCase):
    """
    Tests of L{BaseInstance}.
    """

    def setUp(self) -> None:
        self.instance = BaseInstance()
        self.happened: list[object] = []
        self.instance.gone.addCallback(self.happened.append)
        self.instance.over.addCallback(lambda _: self.happened.append("over"))

    def test_interface(self) -> None:
        """
        It is an L{IInstance}.
        """
        verifyObject(IInstance, self.instance)

    def test_lives(self) -> None:
        """
        Once its life has ended it is gone, for the reason that its life returned, and
        over after that.
        """
        ended: Deferred[str] = Deferred()

        async def life() -> Gone:
            return Gone(await ended)

        self.instance.live(life())
        self.assertEqual(self.happened, [])
        ended.callback("exit status 0")
        self.assertEqual(self.happened, [Gone("exit status 0"), "over"])

    def test_broken(self) -> None:
        """
        A bug ends it too, with a traceback in the log.
        """

        async def life() -> Gone:
            raise ZeroDivisionError

        self.instance.live(life())
        self.assertEqual(self.happened, [Gone("brxy failed to follow it"), "over"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_reported(self) -> None:
        """
        One that left something running is gone, and not over yet.
        """
        self.instance.report(Gone("exit status 0", True))
        self.assertEqual(self.happened, [Gone("exit status 0", True)])

    def test_ready(self) -> None:
        """
        The app is waited for once, and C{ready} does not fire after the end.
        """
        reactor = MemoryReactorClock()
        address = Address("192.0.2.1", 8000)
        self.assertFalse(self.instance.awaited)
        for _ in range(2):
            self.instance.awaitReady(reactor, address)
        self.assertTrue(self.instance.awaited)
        self.assertEqual(len(reactor.tcpClients), 1)
        self.instance.finish(Gone("killed by SIGKILL"))
        self.assertNoResult(self.instance.ready)
        self.assertEqual(reactor.getDelayedCalls(), [])
