"""
Tests of L{brxy.edge.admin.printed.tails} and L{brxy.edge.admin.printed.collecting}.
"""

from __future__ import annotations

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.printed import tails as module
from brxy.edge.admin.printed.collecting import Collector
from brxy.edge.admin.printed.tails import LINES, LONGEST, MOST, Tails
from brxy.edge.events import Gone, Ordered
from brxy.spawners.output import OutputLogger

__all__ = ["CollectorTests", "TailsTests"]


def texts(tails: Tails, route: str = "shop", number: int = 0, ticket: str = "") -> list[str]:
    """
    The kept lines of a route.
    """
    return [each.text for each in tails.after(number, route, ticket)]


class TailsTests(SynchronousTestCase):
    """
    Tests of L{Tails}.
    """

    def setUp(self) -> None:
        self.tails = Tails()
        self.tails.begin("shop", "a")
        self.tails.begin("shop", "b")
        self.tails.begin("blog", "c")

    def test_order(self) -> None:
        """
        The lines of a route are in the order in which they came, and those of
        an instance can be had alone.
        """
        for ticket, text in (("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")):
            self.tails.add(ticket, text, 7.0)
        self.assertEqual(texts(self.tails), ["1", "2", "4"])
        self.assertEqual(texts(self.tails, "blog"), ["3"])
        self.assertEqual(texts(self.tails, "none"), [])
        self.assertEqual(texts(self.tails, number=1), ["2", "4"])
        self.assertEqual(texts(self.tails, ticket="b"), ["2"])
        [line] = self.tails.after(3, "shop")
        self.assertEqual((line.number, line.time, line.route, line.ticket), (4, 7.0, "shop", "a"))
        self.assertEqual(self.tails.last, 4)

    def test_unknown(self) -> None:
        """
        The output of an instance that was not ordered is not kept.
        """
        self.tails.add("x", "1", 7.0)
        self.tails.end("x")
        self.assertEqual(self.tails.last, 0)

    def test_lines(self) -> None:
        """
        The last lines of an instance are kept, whatever others print.
        """
        self.tails.add("b", "kept", 7.0)
        for number in range(LINES + 5):
            self.tails.add("a", str(number), 7.0)
        expected = [str(number) for number in range(5, LINES + 5)]
        self.assertEqual(texts(self.tails), ["kept", *expected])

    def test_size(self) -> None:
        """
        The size of what is kept is limited, of a line and of an instance.
        """
        for _ in range(100):
            self.tails.add("a", "x" * 100_000, 7.0)
        kept = texts(self.tails)
        self.assertEqual({len(each) for each in kept}, {LONGEST})
        self.assertEqual(len(kept), MOST // LONGEST)

    def test_together(self) -> None:
        """
        If all together have too much, instances that have ended are forgotten
        first; then the instance with the most loses its oldest lines.
        """
        self.patch(module, "MOST_TOGETHER", 10)
        self.tails.add("a", "aaaaaa", 7.0)
        self.tails.add("b", "bbb", 7.0)
        self.tails.end("b")
        self.tails.add("c", "cccc", 7.0)
        self.assertEqual(texts(self.tails), ["aaaaaa"])
        self.tails.add("c", "d", 7.0)
        self.assertEqual(texts(self.tails), [])
        self.assertEqual(texts(self.tails, "blog"), ["cccc", "d"])

    def test_ended(self) -> None:
        """
        An instance that has ended is remembered, until many others have.
        """
        self.tails.add("a", "last words", 7.0)
        self.tails.end("a")
        self.assertEqual(texts(self.tails), ["last words"])
        for number in range(module.ENDED):
            self.tails.begin("blog", str(number))
            self.tails.end(str(number))
        self.assertEqual(texts(self.tails), [])

    def test_followed(self) -> None:
        """
        A follower is called at each line, until it follows no more.
        """
        calls: list[int] = []

        def follower() -> None:
            calls.append(self.tails.last)

        self.tails.follow(follower)
        self.tails.add("a", "1", 7.0)
        self.tails.unfollow(follower)
        self.tails.add("a", "2", 7.0)
        self.assertEqual(calls, [1])


class CollectorTests(SynchronousTestCase):
    """
    Tests of L{Collector}.
    """

    def test_collected(self) -> None:
        """
        What spawners log of an instance's output is kept from its order to
        its end, and nothing else of the log.
        """
        tails = Tails()
        publisher = LogPublisher()
        collector = Collector(tails, lambda: 7.0, publisher)
        log = Logger(observer=publisher)
        output = OutputLogger(log, "a")
        output(1, b"too early")
        collector.happened(Ordered("shop", "a"))
        output(1, b"\x1b[32mhello\x1b[0m \xff")
        output.progress(1, b"50 %")
        log.info("something else", ticket="a")
        output(2, b"last words")
        collector.happened(Gone("shop", "a", "exit status 0"))
        output(1, b"too late")
        collector.happened(Gone("shop", "x", "of an earlier run"))
        self.assertEqual(texts(tails), ["\x1b[32mhello\x1b[0m \\xff", "last words"])
