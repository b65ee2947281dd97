"""
Tests of L{brxy.edge.config.files.schema}.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

from jsonschema import Draft7Validator

from brxy.edge.config.files.keys import DEFAULTS, EDGE, ROUTE, spawnKeys
from brxy.edge.config.files.schema import schema
from brxy.spawners.registry import BUILT_IN, findSpawner
from brxy.test.edge.config.files.folders import FileTests
from brxy.test.house.schemafile import COMMAND, FILE, fileText
from brxy.test.support.pages import ROOT

_SCHEMA = schema({each.name: findSpawner(each.name) for each in BUILT_IN})


class SchemaTests(FileTests):
    """
    Tests of L{schema}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.validator = Draft7Validator(_SCHEMA)

    def wrong(self, text: str) -> list[str]:
        """
        @return: where a file does not match the schema.
        """
        found = self.validator.iter_errors(tomllib.loads(text))
        return [each.message for each in found]

    def test_valid(self) -> None:
        """
        It is a JSON Schema.
        """
        Draft7Validator.check_schema(_SCHEMA)

    def test_file(self) -> None:
        """
        The file in the documentation is the schema of the tables.
        """
        self.assertEqual(FILE.read_text(), fileText(), f"run {COMMAND}")

    def test_examples(self) -> None:
        """
        The examples match it, and name it.
        """
        for path in (
            "examples/brxy.toml",
            "examples/brxy.d/blog.toml",
            "examples/brxy.d/shop-api.toml",
        ):
            text = (ROOT / path).read_text()
            self.assertEqual(self.wrong(text), [], path)
            named = (ROOT / path).parent / text.split()[1]
            self.assertEqual(named.resolve(), FILE.resolve())

    def test_everyKey(self) -> None:
        """
        It has every key of every table, with the type that the edge takes.
        """
        values: dict[str, Any] = {
            "flag": True,
            "values": ["1", 2],
            "list": ["a"],
            "table": {"a": 1},
            "text": 5,
            "group": {},
        }
        spawns: list[dict[str, Any]] = [
            {
                "kind": each.name,
                "command": ["x"],
                **{
                    name: values[key.form]
                    for name, key in spawnKeys(findSpawner(each.name).options).items()
                },
            }
            for each in BUILT_IN
        ]
        whole: dict[str, Any] = {
            "edge": {name: values[key.form] for name, key in EDGE.items()},
            "defaults": {name: values[key.form] for name, key in DEFAULTS.items()},
            "route": {
                "a": {**{name: values[key.form] for name, key in ROUTE.items()}, "spawn": spawns}
            },
        }
        self.assertEqual(list(self.validator.iter_errors(whole)), [])
        for table in (whole["edge"], whole["defaults"], whole["route"]["a"], *spawns):
            for name in [each for each in table if each not in ("kind", "command", "spawn")]:
                good = table[name]
                for bad, key in (([[1]], name), (good, f"{name}x")):
                    table[key] = bad
                    self.assertFalse(self.validator.is_valid(whole), (key, bad))
                    table.pop(key)
                    table[name] = good

    def test_refused(self) -> None:
        """
        It refuses what the edge refuses by its structure, and takes spawners that it doesn't
        know.
        """
        spawn = '[[route.a.spawn]]\nkind = "app"\ncommand = ["x"]\n'
        self.assertEqual(self.wrong(spawn), [])
        self.assertEqual(self.wrong('[[route.a.spawn]]\nkind = "wake"\nfoo = 1\n'), [])
        for text in (
            "[foo]\n",
            "[route.a]\n",
            "[[route.a.spawn]]\n",
            '[[route.a.spawn]]\nkind = "app"\n',
            '[[route.a.spawn]]\nkind = "docker"\n',
            spawn.replace("route.a", "route"),
            '[[route.a.spawn]]\nkind = "app"\ncommand = "x"\n',
        ):
            self.assertNotEqual(self.wrong(text), [], text)

    def test_text(self) -> None:
        """
        It is readable for editors.
        """
        self.assertEqual(json.loads(fileText()), json.loads(json.dumps(_SCHEMA)))
