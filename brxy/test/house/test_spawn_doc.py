"""
Tests that the pages about spawners, C{doc/spawn.rst} and
C{doc/writing-spawners.rst}, match the code.
"""

from __future__ import annotations

import re
from inspect import getmembers, isfunction

import attrs
from twisted.trial.unittest import SynchronousTestCase

from brxy import interfaces
from brxy.spawners.registry import findSpawner
from brxy.spawners.spec import Common, optionKeys, parseSpawn, splitCommon
from brxy.spawners.testing.bed import SpawnerBed
from brxy.test.support.pages import listTables, readPage, section

NAMES = ("app", "process", "ssh", "docker", "swarm", "kubernetes")


class SpawnDocTests(SynchronousTestCase):
    """
    Tests of the reference of spawn strings.
    """

    def _check(self, title: str, options: type[object]) -> None:
        [rows] = listTables(section(readPage("spawn"), title))
        keys = optionKeys(options)
        self.assertEqual(sorted(row[0] for row in rows), sorted(f"``{key}=``" for key in keys))
        for told, meaning, unit, default in rows:
            each = keys[told.strip("`=")]
            self.assertTrue(meaning and unit and default, each.name)
            value = each.default
            if value is attrs.NOTHING:
                self.assertEqual(default, "required", each.name)
            elif value is not None:
                shown = value if isinstance(value, str) else f"{value:g}"
                self.assertEqual(default, f"``{shown}``", each.name)
            else:
                self.assertNotEqual(default, "required", each.name)

    def test_common(self) -> None:
        """
        The page describes the keys that all spawners have.
        """
        self._check("Keys of every spawner", Common)

    def test_own(self) -> None:
        """
        The page describes each spawner's own keys, with their defaults.
        """
        for name in NAMES:
            self._check(f"{name}:", findSpawner(name).options)

    def test_examples(self) -> None:
        """
        Each spawn string on the page is accepted.
        """
        strings = re.findall(r'--spawn (?:\\\n *)?"([^"]+)"', readPage("spawn"))
        self.assertGreaterEqual(len(strings), 10)
        for each in strings:
            spec = parseSpawn(each)
            splitCommon(spec, findSpawner(spec.name).options)


class WritingSpawnersDocTests(SynchronousTestCase):
    """
    Tests of the page for authors of spawners.
    """

    def test_interfaces(self) -> None:
        """
        The page names everything in L{brxy.interfaces} that is for spawners,
        with all attributes and methods that they have to provide.
        """
        page = readPage("writing-spawners")
        for name in interfaces.__all__:
            each = getattr(interfaces, name)
            self.assertIn(name, page)
            for member in each if hasattr(each, "providedBy") else ():
                self.assertRegex(page, rf"``{member}[`(]", name)

    def test_suite(self) -> None:
        """
        The page names everything that a test of a spawner can override.
        """
        text = section(readPage("writing-spawners"), "Testing a spawner")
        told = set(re.findall(r"^``(\w+)\(.*\)``$", text, re.MULTILINE))
        has = {name for name, _ in getmembers(SpawnerBed, isfunction)}
        self.assertEqual(told, {"left", "kill", "remove", "bystander", "nodePort"})
        self.assertEqual(told - has, set())
