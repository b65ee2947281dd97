"""
Tests of L{brxy.edge.fleet.recovery}: instances of spawns that there are no more.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.events import Event, Events, Unclaimed
from brxy.edge.fleet.recovery import reportUnclaimed
from brxy.scaler.rules import Rule


def _record(ticket: str, spawner: str | None, route: str = "r") -> dict[str, Any]:
    return {"ticket": ticket, "route": route, "spawner": spawner}


class UnclaimedTests(SynchronousTestCase):
    """
    Tests of L{reportUnclaimed}.
    """

    def reported(self, *records: dict[str, Any]) -> list[Event]:
        """
        @return: what is reported of these.
        """
        events: list[Event] = []
        rules = [Rule("r", 1, 1, "docker", True), Rule(None, 1, 1, "process")]
        reportUnclaimed(records, rules, "abc", Events([events.append]))
        return events

    def test_claimed(self) -> None:
        """
        Nothing is said of what has a spawner still, or never had one.
        """
        self.assertEqual(self.reported(_record("1", "docker"), _record("2", "process", "s")), [])
        self.assertEqual(self.reported(_record("3", None)), [])

    def test_left(self) -> None:
        """
        Of all others it is said what they are, whose they were, and by which mark
        they are found: one line for each spawner.
        """
        left = [_record("1", "docker", "s"), _record("2", "swarm"), _record("3", "swarm")]
        self.assertEqual(
            self.reported(*left, _record("4", "docker")),
            [
                Unclaimed("docker", ["s/1"], "abc-docker"),
                Unclaimed("swarm", ["r/2", "r/3"], "abc-swarm"),
            ],
        )
