"""
Tests of L{brxy.broker.quota}, and of the limits of waiters.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.decisions import Reject
from brxy.broker.quota import Addresses, Wakes, network
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class NetworkTests(SynchronousTestCase):
    """
    Tests of L{network}.
    """

    def test_four(self) -> None:
        """
        An IPv4 address counts as itself, also when it is written as an IPv6 address.
        """
        self.assertEqual(network("192.0.2.1"), "192.0.2.1")
        self.assertEqual(network("::ffff:192.0.2.1"), "192.0.2.1")

    def test_six(self) -> None:
        """
        Of an IPv6 address the half counts that its host can't choose.
        """
        self.assertEqual(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64")
        self.assertEqual(network("2001:db8:1:2::9"), "2001:db8:1:2::/64")
        self.assertNotEqual(network("2001:db8:1:3::9"), network("2001:db8:1:2::9"))


class AddressesTests(SynchronousTestCase):
    """
    Tests of L{Addresses}.
    """

    def test_each(self) -> None:
        """
        Each address may have N; one that leaves makes room for another of the same address.
        """
        addresses = Addresses(2)
        self.assertEqual([addresses.add("a") for _ in range(3)], [True, True, False])
        self.assertTrue(addresses.add("b"))
        addresses.remove("a")
        self.assertEqual([addresses.add("a") for _ in range(2)], [True, False])

    def test_again(self) -> None:
        """
        An address gets back what it had before, even beyond its limit.
        """
        addresses = Addresses(1)
        addresses.add("a")
        addresses.addAgain("a")
        addresses.remove("a")
        self.assertFalse(addresses.add("a"))

    def test_nothingKept(self) -> None:
        """
        Nothing is kept of an address that has nothing.
        """
        addresses = Addresses(2)
        for number in range(1000):
            addresses.add(f"2001:db8:0:{number:x}::1")
            addresses.remove(f"2001:db8:0:{number:x}::2")
        self.assertEqual(len(addresses), 0)

    def test_unlimited(self) -> None:
        """
        Without a limit nothing is counted, and clients without an address never are.
        """
        for addresses, address in ((Addresses(0), "a"), (Addresses(1), "")):
            self.assertTrue(all(addresses.add(address) for _ in range(10)))
            self.assertEqual(len(addresses), 0)
            addresses.remove(address)


class WakesTests(SynchronousTestCase):
    """
    Tests of L{Wakes}.
    """

    def test_burst(self) -> None:
        """
        An address may wake a burst at once, and then a number per minute; after the time
        that it has to wait it may wake the next, and not before.
        """
        wakes = Wakes(3, 6)
        self.assertEqual([wakes.take("a", 100.0) for _ in range(4)], [0.0, 0.0, 0.0, 10.0])
        self.assertEqual(wakes.take("b", 100.0), 0.0)
        self.assertEqual(wakes.take("a", 109.0), 1.0)
        self.assertEqual(wakes.take("a", 110.0), 0.0)
        self.assertEqual(wakes.take("a", 110.0), 10.0)
        self.assertEqual([wakes.take("a", 1000.0) for _ in range(4)], [0.0, 0.0, 0.0, 10.0])

    def test_unlimited(self) -> None:
        """
        Without a rate or a burst there is no limit, and none without an address.
        """
        for wakes, address in ((Wakes(1, 0), "a"), (Wakes(0, 1), "a"), (Wakes(1, 1), "")):
            self.assertEqual({wakes.take(address, 1.0) for _ in range(100)}, {0.0})
            self.assertEqual(len(wakes), 0)

    @given(st.lists(st.floats(0.0, 30.0), max_size=60), st.integers(1, 5), st.integers(1, 60))
    def test_never(self, pauses: list[float], burst: int, rate: int) -> None:
        """
        No stretch of time has more wakes than burst and rate allow.
        """
        wakes, now, taken = Wakes(burst, rate), 0.0, []
        for pause in pauses:
            now += pause
            if not wakes.take("a", now):
                taken.append(now)
        for first, start in enumerate(taken):
            for last in range(first, len(taken)):
                most = burst + (taken[last] - start) * rate / 60
                self.assertLessEqual(last - first + 1, most + 1e-6)

    def test_memory(self) -> None:
        """
        Of any number of addresses the last MOST are remembered: a scanner that goes on is
        not forgotten.
        """
        wakes = Wakes(1, 1)
        for number in range(3 * Wakes.MOST):
            wakes.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1.0)
            self.assertLessEqual(len(wakes), Wakes.MOST)
            if number % 1000 == 0:
                wakes.take("scanner", 1.0 + number)
        self.assertGreater(wakes.take("scanner", 3 * Wakes.MOST - 999.0), 0.0)

    def test_whole(self) -> None:
        """
        Addresses that may wake a whole burst again are forgotten first.
        """
        wakes = Wakes(2, 60)
        for number in range(Wakes.MOST):
            wakes.take(f"n{number}", 0.0)
        self.assertEqual(len(wakes), Wakes.MOST)
        wakes.take("late", 100.0)
        self.assertEqual(len(wakes), 1)


class HeldTests(SynchronousTestCase):
    """
    Tests of how many clients a L{brxy.broker.broker.Broker} holds, of all routes and of one
    address.
    """

    def setUp(self) -> None:
        self.broker = FakeBroker(10, 60.0, max_held_total=3, max_held_per_address=2)

    def hold(self, route: str, address: str = "") -> FakeWaiter | str:
        """
        @return: the waiter, or the reason why it is rejected.
        """
        waiter = FakeWaiter(route, address=address)
        decision = self.broker.wait(waiter, 0.0)
        return decision.reason if isinstance(decision, Reject) else waiter

    def test_total(self) -> None:
        """
        At most this many clients are held for all routes together.
        """
        held = [self.hold(route) for route in "abc"]
        self.assertEqual(self.hold("d"), "full")
        assert isinstance(held[0], FakeWaiter)
        self.broker.cancel(held[0])
        self.assertIsInstance(self.hold("d"), FakeWaiter)

    def test_address(self) -> None:
        """
        Nor are more held of one address, on any routes; however one leaves, another may
        come.
        """
        first = self.hold("a", "x")
        self.hold("b", "x")
        self.assertEqual(self.hold("c", "x"), "address")
        assert isinstance(first, FakeWaiter)
        self.broker.cancel(first)
        self.hold("c", "x")
        self.assertEqual(self.hold("c", "x"), "address")
        slot = FakeSlot(makeInstance("t", route="c"))
        match = self.broker.ready(slot)
        assert match is not None
        self.hold("c", "x")
        self.assertEqual(self.hold("c", "x"), "address")
        self.broker.takeAll("c")
        self.hold("c", "x")
        self.assertEqual(self.hold("c", "x"), "address")
        self.broker.requeue(match.waiter, 0.0)
        self.broker.expire(60.0)
        self.assertEqual(self.broker.snapshot().held, {})
        self.assertEqual([type(self.hold("a", "x")) for _ in range(3)], [FakeWaiter] * 2 + [str])
