"""
Tests that the page about the architecture, C{doc/architecture.rst}, names
things that exist.
"""

from __future__ import annotations

import re

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.pages import readPage

__all__ = ["ArchitectureDocTests"]


class ArchitectureDocTests(SynchronousTestCase):
    """
    Tests of the page.
    """

    def test_named(self) -> None:
        """
        Each module, class or function that the page names exists.
        """
        named = re.findall(r"``(brxy\.[a-z][\w.]*)``", readPage("architecture"))
        self.assertGreater(len(named), 20)
        for name in named:
            namedAny(name)
