"""
Tests that go over every key of a configuration file.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs

import brxy
from brxy.edge.config.fields import FIELDS
from brxy.edge.config.files.keys import DEFAULTS, EDGE, GROUP, REQUESTS, ROUTE, Key, spawnKeys
from brxy.edge.config.files.reader import readConfiguration
from brxy.program.fields import ACTION, FLAG
from brxy.spawners.registry import BUILT_IN, findSpawner
from brxy.spawners.spec import Common, optionKeys
from brxy.test.edge.config.files.folders import FileTests, toml
from brxy.values.text import printable

#: Values that some converter refuses, of each kind of converter several.
WRONG: tuple[Any, ...] = (
    *(-1, 0, 1.5, 70000, 10**7, float("inf"), float("nan")),
    *("", " ", "x y", "5x", "-1", "1e3", "é", "a,b", "a,a", "a=b", "=", "=1", "a=", "a b=1"),
    *("80a", "tcp:x", "ssl:1", "tls:1", "tcp", "no:1:2", "unix:", "10.0.0.1/8", "300.1.1.1"),
    *("/no/such/file", "*", "*.", "-x", "x-", "a" * 300, "(", "'", "\0", "A" * 31, "SIGNOTHING"),
    *(
        "1k",
        "0.001",
        "nothing",
        "/",
        "//",
        "/a b",
        "source:target",
        ":/a",
        "/a:b",
        "/a:/b:x",
        "v3",
    ),
    "systemd:domain=INET:index=99",
    *("daemon:nosuchgroup", "nosuchuser", "root:nosuchgroup", "x=1:alpn=h2", "x=tls:1:alpn="),
)

#: Values of TOML that are no text and no number.
NO_TEXT: tuple[Any, ...] = (True, False, [[1]], {"a": {}}, [{}])

_MAIN = "brxy.toml"

_BRXY = str(Path(brxy.__file__).parent)

HEADERS = {
    "edge": ["[edge]"],
    "defaults": ["[defaults]"],
    "route": ['[route."a"]'],
}


@attrs.frozen
class Element:
    """
    The only element of an array that is written on several lines.
    """

    value: Any


@attrs.frozen
class Found:
    """
    What is said about a key.

    @ivar table: its table: one of L{HEADERS}, or the kind of a spawn.
    @ivar name: as it is written.
    @ivar convert: its converter, in the table of settings or of the keys of a spawner.
    @ivar said: nothing if it is right.
    """

    table: str
    name: str
    convert: Callable[[Any], Any]
    key: Key
    value: Any
    said: str


def _spawnHeader(kind: str) -> list[str]:
    return ['[[route."a".spawn]]', f'kind = "{kind}"']


def converters() -> Iterator[tuple[str, Mapping[str, Key], str, Callable[[Any], Any]]]:
    """
    @return: each key: its table as in L{Found}, the keys of that, its name and its converter.
    """
    for setting in FIELDS:
        if setting.kind is not ACTION and setting.name in EDGE:
            yield "edge", EDGE, setting.name, setting.kind.convert
    common = optionKeys(Common)
    for table, keys in (("defaults", DEFAULTS), ("route", ROUTE)):
        for name, option in common.items():
            if name in keys:
                yield table, keys, name, _converter(option)
        for name, key in REQUESTS.items():
            # The keys of groups: see L{brxy.test.edge.config.files.test_requests}.
            if name in keys and key.form != GROUP:
                yield table, keys, name, key.convert
    for entry in BUILT_IN:
        options = findSpawner(entry.name).options
        keys = spawnKeys(options)
        for name, option in {**common, **optionKeys(options)}.items():
            if name in keys:
                yield entry.name, keys, name, _converter(option)


def _converter(option: attrs.Attribute[Any]) -> Callable[[Any], Any]:
    assert option.converter is None or callable(option.converter)
    return option.converter or str


def _unlessFlag(value: Any, table: str, key: Key) -> tuple[str, Any] | None:
    return None if key.form == "flag" else (key.name, value)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _refusal(convert: Callable[[Any], Any], text: str) -> str | None:
    try:
        convert(text)
    except ValueError as error:
        return str(error)
    return None


def _doubled(table: str, key: Key) -> tuple[str, Any]:
    return key.name + key.name[-1], 1


def _shortened(table: str, key: Key) -> tuple[str, Any] | None:
    return (key.name[:-1], 1) if len(key.name) > 3 else None


def _underlined(table: str, key: Key) -> tuple[str, Any] | None:
    return (key.name.replace("-", "_"), 1) if "-" in key.name else None


def _inArray(table: str, key: Key) -> tuple[str, Any] | None:
    return (key.name, Element([1])) if key.form in ("list", "values") else None


def _refusals(code: CodeType) -> list[tuple[str, tuple[str, int]]]:
    """
    @return: what a function raises, with the places.
    """
    text = Path(code.co_filename).read_text()
    functions = [
        each
        for each in ast.walk(ast.parse(text))
        if isinstance(each, ast.FunctionDef)
        and each.name == code.co_name
        and each.lineno <= code.co_firstlineno <= each.body[0].lineno
    ]
    return [
        (ast.unparse(each.exc), (code.co_filename, each.lineno))
        for function in functions
        for each in ast.walk(function)
        if isinstance(each, ast.Raise) and each.exc is not None
    ]


class EveryKeyTests(FileTests):
    """
    Tests of all keys of all tables.
    """

    def _check(
        self, written: Callable[[str, Key], tuple[str, Any] | None], file: str = _MAIN
    ) -> Iterator[Found]:
        """
        Read a file with all keys.

        @param written: the name and the value with which a key of a table is written.
        @param file: its name; one that is included has no C{[edge]} and no C{[defaults]}.
        @return: what is said about each of them.
        """
        lines: list[str] = []
        places: dict[int, tuple[str, str, Callable[[Any], Any], Key, Any]] = {}
        last = ""
        for table, keys, name, convert in converters():
            if file != _MAIN and table in ("edge", "defaults"):
                continue
            if table != last:
                last = table
                lines += HEADERS[table] if table in HEADERS else _spawnHeader(table)
            found = written(table, keys[name])
            if found is not None:
                lines.append("# about the next one")
                if isinstance(found[1], Element):
                    lines += [f"{found[0]} = [", "# about the next one", toml(found[1].value)]
                    places[len(lines)] = (table, found[0], convert, keys[name], found[1])
                    lines.append("]")
                    continue
                lines.append(f"{found[0]} = {toml(found[1])}")
                places[len(lines)] = (table, found[0], convert, keys[name], found[1])
        path = self.write("\n".join(lines), file)
        main = path if file == _MAIN else self.write(f'[edge]\ninclude = "{file}"\n')
        said: dict[int, str] = {}
        for each in readConfiguration(main).faults:
            number, _, what = each.removeprefix(f"{path}:").partition(": ")
            if int(number) in places:
                self.assertNotIn(int(number), said, each)
                said[int(number)] = what
        for line, place in places.items():
            yield Found(*place, said.get(line, ""))

    def test_wrong(self) -> None:
        """
        Each key, wrong in each way that its converter knows, is reported with its line and with
        what the converter says is needed; and what the converter takes is taken.
        """
        refused: set[str] = set()
        for value in WRONG:
            for found in self._check(partial(_unlessFlag, value)):
                why = _refusal(found.convert, _text(value))
                if why is None:
                    self.assertEqual(found.said, "", found)
                    continue
                self.assertEqual(found.said[: len(found.name) + 4], f"bad {found.name}", found)
                self.assertTrue(found.said.endswith(f": {printable(why)}"), found)
                refused.add(found.name)
        paths = [each.name for each in FIELDS if each.kind.placeholder in ("FILE", "FOLDER")]
        for _, keys, name, convert in converters():
            if keys[name].form != "flag" and convert is not str and name not in paths:
                self.assertIn(name, refused, "of WRONG, its converter takes all")

    def test_everyWay(self) -> None:
        """
        Of each converter L{WRONG} has a value for each reason for which it refuses one.
        """
        entered: set[CodeType] = set()
        executed: set[tuple[str, int]] = set()

        def call(frame: FrameType, event: str, argument: Any) -> Any:
            code = frame.f_code
            if not code.co_filename.startswith(_BRXY):
                return None
            entered.add(code)
            return line

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            executed.add((frame.f_code.co_filename, frame.f_lineno))
            return line

        before = sys.gettrace()
        for convert in {convert for _, _, _, convert in converters()}:
            for value in WRONG:
                sys.settrace(call)
                _refusal(convert, _text(value))
                sys.settrace(before)
        self.assertGreater(len(entered), 50)
        left = {
            reason
            for code in entered
            for reason, place in _refusals(code)
            if place not in executed
        }
        # As root all users can be chosen.
        self.assertEqual(left - {"ValueError('only root can run an app as another user')"}, set())

    def test_included(self) -> None:
        """
        The same is said about the keys of a file that is included, with its own lines.
        """
        for value in ("x y", -1, True, [[1]]):
            written = partial(_unlessFlag, value)
            expected = {
                (each.table, each.name): each.said
                for each in self._check(written)
                if each.table not in ("edge", "defaults")
            }
            found = {
                (each.table, each.name): each.said for each in self._check(written, "apps/a.toml")
            }
            self.assertEqual(found, expected)

    def test_elements(self) -> None:
        """
        A wrong element of an array is reported with its own line.
        """
        for file in ("brxy.toml", "apps/a.toml"):
            found = list(self._check(_inArray, file))
            self.assertIn("volume", {each.name for each in found})
            for each in found:
                self.assertEqual(each.said[: len(each.name) + 4], f"bad {each.name}", each)

    def test_noText(self) -> None:
        """
        What is neither a text nor a number is refused by each key, with its line; a flag needs
        true or false.
        """
        for value, instead in zip(NO_TEXT, (0, 1, "true", [], {}), strict=True):

            def written(table: str, key: Key) -> tuple[str, Any]:
                return key.name, instead if key.form == "flag" else value  # noqa: B023

            for found in self._check(written):
                self.assertEqual(found.said[: len(found.name) + 4], f"bad {found.name}", found)
                if found.key.form == "flag":
                    self.assertTrue(found.said.endswith(": true or false is needed"), found)

    def test_unknown(self) -> None:
        """
        A key that is not known names the nearest one.
        """
        for change in (_doubled, _shortened, _underlined):
            for found in self._check(change):
                start = f"{found.name} is not known; "
                self.assertEqual(found.said[: len(start)], start, found)
                self.assertIn(f" {found.key.name}", found.said)

    def test_everySetting(self) -> None:
        """
        There is no setting that a file can't have, in some table.
        """
        keys = {each.spawn_key or each.name for each in FIELDS if each.kind is not ACTION}
        self.assertEqual(keys - {*EDGE, *DEFAULTS}, {"spawn", "config"})
        self.assertEqual(
            {each.name for each in FIELDS if each.kind is FLAG},
            {name for name, key in EDGE.items() if key.form == "flag"},
        )

    def test_everyForm(self) -> None:
        """
        What takes an array or a table as one value takes texts, too; its form is declared in the
        keys of the spawner.
        """
        forms = {
            (entry.name, name): key.form
            for entry in BUILT_IN
            for name, key in spawnKeys(findSpawner(entry.name).options).items()
            if key.form != "text"
        }
        self.assertEqual(
            forms,
            {
                ("app", "env"): "table",
                ("app", "ready-command"): "list",
                ("docker", "env"): "table",
                ("docker", "volume"): "list",
                ("swarm", "env"): "table",
                ("swarm", "volume"): "list",
                ("ssh", "host"): "list",
            },
        )
        good: dict[str, Any] = {
            "env": {"A": "x,y"},
            "volume": ["/a:/b", "c:/d:ro"],
            "host": ["a", "b"],
        }
        good["ready-command"] = ["a b", "c"]
        for found in self._check(
            lambda table, key: (key.name, good[key.name]) if (table, key.name) in forms else None
        ):
            self.assertEqual(found.said, "", found)
