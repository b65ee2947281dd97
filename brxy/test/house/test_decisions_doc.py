"""
Tests that the pages about decisions, C{doc/decisions/}, have the form that
they promise, and name modules that exist.
"""

from __future__ import annotations

import re

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.pages import pagePath, readPage, section

#: The parts of a record, in this order. The first two are required.
PARTS = ["Decision", "Why", "Measured", "Instead of"]

NAMED = re.compile(r"``(brxy\.[a-z][\w.]*)``")


class DecisionsDocTests(SynchronousTestCase):
    """
    Tests of the records.
    """

    def setUp(self) -> None:
        paths = sorted(pagePath("decisions/index").parent.glob("*.rst"))
        names = [path.stem for path in paths if path.stem != "index"]
        self.pages = {name: readPage(f"decisions/{name}") for name in names}
        self.assertGreater(len(self.pages), 5)

    def test_index(self) -> None:
        """
        The first page links to all others.
        """
        listed = re.findall(r"^   \w+ <(\w+)>$", readPage("decisions/index"), re.MULTILINE)
        self.assertEqual(sorted(listed), sorted(self.pages))

    def test_lists(self) -> None:
        """
        Each page begins with a list of all its records, in order.
        """
        for name, page in self.pages.items():
            listed = re.findall(r"^\* `(.+)`_$", page, re.MULTILINE)
            titles = re.findall(r"^(\S.*)\n-{3,}$", page, re.MULTILINE)
            self.assertEqual(listed, titles, name)
            self.assertNotEqual(titles, [], name)

    def test_parts(self) -> None:
        """
        Each record contains the decision and the reason, and no text outside
        of its parts.
        """
        for page in self.pages.values():
            for title in re.findall(r"^(\S.*)\n-{3,}$", page, re.MULTILINE):
                record = section(page, title)
                parts = re.findall(r"^(\S.*)$", record, re.MULTILINE)
                self.assertEqual(parts[:2], PARTS[:2], title)
                self.assertEqual(parts, [each for each in PARTS if each in parts], title)

    def test_names(self) -> None:
        """
        The modules that the records name exist, as do those on the pages for
        authors of spawners and about hostile inputs.
        """
        others = {name: readPage(name) for name in ("hostile", "writing-spawners")}
        named = [
            each
            for page in (*self.pages.values(), *others.values())
            for each in NAMED.findall(page)
        ]
        self.assertGreater(len(named), 10)
        for each in named:
            namedAny(each)
