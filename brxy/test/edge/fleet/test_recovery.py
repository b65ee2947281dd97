"""
Tests of L{brxy.edge.fleet.recovery}: what nobody is asked for.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.fleet.recovery import warnOfUnclaimed
from brxy.scaler.rules import Rule


def _record(ticket: str, spawner: str | None, route: str = "r") -> dict[str, Any]:
    return {"ticket": ticket, "route": route, "spawner": spawner}


class UnclaimedTests(SynchronousTestCase):
    """
    Tests of L{warnOfUnclaimed}.
    """

    def warnings(self, *records: dict[str, Any]) -> list[str]:
        """
        @return: what is said of these.
        """
        lines: list[str] = []

        def observe(event: dict[str, Any]) -> None:
            if event.get("log_namespace") == "brxy.edge.fleet.recovery":
                lines.append(formatEvent(event))

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        rules = [Rule("r", 1, 1, "docker", True), Rule(None, 1, 1, "process")]
        warnOfUnclaimed(records, rules, "abc")
        return lines

    def test_claimed(self) -> None:
        """
        Nothing is said of what has a spawner still, or never had one.
        """
        self.assertEqual(self.warnings(_record("1", "docker"), _record("2", "process", "s")), [])
        self.assertEqual(self.warnings(_record("3", None)), [])

    def test_left(self) -> None:
        """
        Of all others it is said what they are, whose they were, and by which mark
        they are found: one line for each spawner.
        """
        left = [_record("1", "docker", "s"), _record("2", "swarm"), _record("3", "swarm")]
        one, other = self.warnings(*left, _record("4", "docker"))
        self.assertRegex(one, "^no --spawn is docker any more, which has left s/1: ")
        self.assertRegex(
            other,
            "^no --spawn is swarm any more, which has left r/2, r/3: .* marked with abc stays",
        )
