"""
Tests that the page about metrics, C{doc/metrics.rst}, and the dashboard for Grafana match the
code.
"""

from __future__ import annotations

import json
import subprocess
from shutil import which

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.edge.metrics.table import METRICS
from brxy.test.house.metricspage import BOARD, COMMAND, PAGE, boardText, pageText, queries


class MetricsDocTests(SynchronousTestCase):
    """
    Tests of what is made from the table of metrics.
    """

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def test_page(self) -> None:
        """
        The page is the text that the table gives.
        """
        if PAGE.read_text() != pageText():
            self.fail(f"doc/metrics.rst is out of date; {COMMAND!r} writes it")

    def test_board(self) -> None:
        """
        So is the dashboard.
        """
        if BOARD.read_text() != boardText():
            self.fail(f"{BOARD.name} is out of date; {COMMAND!r} writes it")

    def test_places(self) -> None:
        """
        The panels of the dashboard have numbers of their own, and do not overlap.
        """
        panels = json.loads(boardText())["panels"]
        self.assertEqual(len({each["id"] for each in panels}), len(panels))
        taken = [
            (x, y)
            for place in (each["gridPos"] for each in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        self.assertEqual(len(set(taken)), len(taken))
        self.assertLess(max(x for x, _ in taken), 24)

    def test_queries(self) -> None:
        """
        Prometheus accepts every query, and each reads its metric with labels that this has.
        """
        if which("promtool") is None:
            raise SkipTest("needs promtool")
        rules = []
        for number, (metric, panel, query) in enumerate(queries()):
            self.assertIn(metric.name, query)
            for each in metric.labels:
                query = query.replace(f"${each}", ".*")
            text = query.replace("$__rate_interval", "1m").replace("$job", "brxy")
            self.assertNotIn("$", text, panel.title)
            rules.append({"record": f"panel:{number}", "expr": text})
        path = self.mktemp()
        with open(path, "w") as file:
            json.dump({"groups": [{"name": "board", "rules": rules}]}, file)
        checked = subprocess.run(
            ["promtool", "check", "rules", path], capture_output=True, text=True
        )
        self.assertEqual((checked.stderr, checked.returncode), ("", 0), checked.stdout)
        self.assertIn(f"{len(rules)} rules found", checked.stdout)
        used = {metric.name for metric, _, _ in queries()}
        self.assertEqual(used, {each.name for each in METRICS})
