"""
Tests that C{doc/tried-apps.rst} has what C{examples/apps/apps.toml} has.
"""

from __future__ import annotations

import textwrap
import tomllib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.pages import ROOT, listTables, readPage, section

__all__ = ["TriedAppsTests"]


def entries() -> list[dict[str, Any]]:
    """
    @return: the apps, as the script reads them.
    """
    apps = ROOT / "examples" / "apps" / "apps.toml"
    return list(tomllib.loads(apps.read_text("utf-8"))["app"])


class TriedAppsTests(SynchronousTestCase):
    """
    Tests of the page.
    """

    def test_table(self) -> None:
        """
        The table has a row for each app, with what was checked and why the
        capacity is what it is; and no app has failed, or ran more instances
        than it may.
        """
        rows, _ = listTables(readPage("tried-apps"))
        for entry, row in zip(entries(), rows, strict=True):
            name, _, checked, instances, why = row
            self.assertEqual((name, checked, why), (entry["name"], entry["checked"], entry["why"]))
            self.assertLessEqual(int(instances), entry["most"], name)

    def test_pages(self) -> None:
        """
        Each page that was opened in a browser was served by one instance, with
        and without a node.
        """
        _, rows = listTables(readPage("tried-apps"))
        for name, _, instances, with_node, _ in rows:
            self.assertIn(name, [entry["name"] for entry in entries()])
            self.assertEqual((instances, with_node), ("1", "1"), name)

    def test_lines(self) -> None:
        """
        Each line stands in the page as it is run, below the name of its app.
        """
        text = section(readPage("tried-apps"), "The lines")
        expected = [
            f"{entry['name']}::\n\n{textwrap.indent(entry['line'].strip(), '    ')}\n"
            for entry in entries()
        ]
        self.assertEqual(text.strip() + "\n", "\n".join(expected))

    def test_capacity(self) -> None:
        """
        The reason begins with the capacity and the maximum of the line.
        """
        for entry in entries():
            words = entry["line"].split(" -- ")[0].replace('"', " ").split()
            keys = dict(word.split("=", 1) for word in words if "=" in word)
            capacity, limit = keys.get("capacity", "auto"), keys.get("max")
            said = f"{capacity} with max={limit}: " if limit else f"{capacity}: "
            if entry["check"] != "background":
                self.assertTrue(entry["why"].startswith(said), (entry["name"], said))
