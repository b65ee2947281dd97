"""
Tests of which host gets the next instance.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.ssh.hosts import Hosts

__all__ = ["HostsTests"]


class HostsTests(SynchronousTestCase):
    """
    Tests of L{Hosts}.
    """

    def test_filled(self) -> None:
        """
        With a limit one host is filled after the other; room is used again.
        """
        hosts = Hosts(["a", "b"], 2)
        self.assertEqual([hosts.take(0, ()) for _ in range(5)], ["a", "a", "b", "b", None])
        self.assertEqual((hosts.full(()), hosts.full("a")), (["a", "b"], ["b"]))
        hosts.release("a")
        self.assertEqual(hosts.take(0, ()), "a")

    def test_spread(self) -> None:
        """
        Without one the emptiest host comes first.
        """
        hosts = Hosts(["a", "b"], None)
        self.assertEqual([hosts.take(0, ()) for _ in range(4)], ["a", "b", "a", "b"])
        hosts.release("b")
        self.assertEqual(hosts.take(0, ()), "b")
        self.assertEqual(hosts.full(()), [])

    def test_shunned(self) -> None:
        """
        One that could not be reached comes last for a minute, or until it was
        reached; several of them in the order in which they failed.
        """
        hosts = Hosts(["a", "b"], None)
        hosts.failed("a", 10)
        self.assertEqual(
            [hosts.take(20, ()), hosts.take(69, ()), hosts.take(71, ())], ["b", "b", "a"]
        )
        hosts.failed("a", 100)
        hosts.failed("b", 90)
        self.assertEqual(
            [hosts.take(110, ()), hosts.take(110, "b"), hosts.take(110, "ab")], ["b", "a", None]
        )
        hosts.reached("a")
        self.assertEqual(hosts.take(110, ()), "a")
