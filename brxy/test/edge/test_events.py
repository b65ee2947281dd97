"""
Tests of L{brxy.edge.events}.
"""

from __future__ import annotations

import string
import sys
from typing import cast

from attrs import fields
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.eventlog import TEXTS, LogListener
from brxy.edge.events import Event, Events, Holding, Unclaimed

__all__ = ["EventsTests", "LogTests", "TextTests"]


def leaves() -> set[type[Event]]:
    """
    The events themselves, without what they have in common.
    """

    def below(event: type[Event]) -> set[type[Event]]:
        # attrs replaces a class by one with slots; the class before it is of no module.
        found = {
            each
            for each in event.__subclasses__()
            if vars(sys.modules[each.__module__]).get(each.__name__) is each
        }
        return set().union(*map(below, found)) if found else {event}

    return below(Event)


class EventsTests(SynchronousTestCase):
    """
    Tests of L{Events}.
    """

    def test_order(self) -> None:
        """
        Each listener gets each event, the first listener first.
        """
        heard: list[tuple[int, Event]] = []
        both = Events(
            [lambda event: heard.append((1, event)), lambda event: heard.append((2, event))]
        )
        both.emit(Holding("a"))
        self.assertEqual(heard, [(1, Holding("a")), (2, Holding("a"))])


class TextTests(SynchronousTestCase):
    """
    Tests of L{TEXTS}.
    """

    def test_all(self) -> None:
        """
        Every event has a text, and the text names only what the event has.
        """
        self.assertEqual(leaves(), set(TEXTS))
        for event, (_, text) in TEXTS.items():
            named = {
                name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name
            }
            self.assertEqual(named - {each.name for each in fields(event)}, set(), event.__name__)


class LogTests(SynchronousTestCase):
    """
    Tests of L{LogListener}.
    """

    def lines(self, event: Event) -> list[str]:
        said: list[LogEvent] = []
        LogListener(Logger("test", observer=cast(ILogObserver, said.append)))(event)
        return [each["log_format"].format(**each) for each in said]

    def test_line(self) -> None:
        """
        An event is one line.
        """
        self.assertEqual(
            self.lines(Holding("a")), ["a: holding clients until an instance is ready"]
        )

    def test_names(self) -> None:
        """
        Several names stand in a row.
        """
        line = self.lines(Unclaimed("docker", ["a/1", "a/2"], "edge-1"))[0]
        self.assertIn("left a/1, a/2 of it", line)
