"""
Private names stay private: no module uses one of another module's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from brxy.test.house.test_imports import MODULES, SHIPPED, Module

#: Private names outside of brxy that there is no public way for, and why they are used.
OTHERS = {
    "os._exit": "ends a process without the clean-up of the interpreter, as its docs say",
    "port._preexistingSocket": "Twisted's, for a port that is made of an inherited socket",
    "port._getLogPrefix": "Twisted's, for the line in the log that names the factory",
}

#: How many times all tests together may look into something private.
IN_TESTS = 5


# They begin so, since other names are those of fields.
_OF_NAMED_TUPLES = ("_asdict", "_replace")


def isPrivate(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in _OF_NAMED_TUPLES


def definedIn(tree: ast.Module) -> set[str]:
    """
    The names of functions, classes and attributes that a module gives or has.
    """
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == f"self.{node.attr}":
            names.add(node.attr)
    return names


def usesOfPrivate(module: Module) -> Iterator[str]:
    """
    Each use of a private name that the module did not give itself.
    """
    own = definedIn(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            yield from (each.name for each in node.names if isPrivate(each.name))
        # What a class has of its base is its own.
        elif (
            isinstance(node, ast.Attribute)
            and isPrivate(node.attr)
            and node.attr not in own
            and ast.unparse(node.value) != "super()"
        ):
            yield ast.unparse(node)


class PrivateTests(SynchronousTestCase):
    """
    Tests of the use of private names.
    """

    def find(self, modules: list[Module]) -> list[str]:
        return [
            f"{module.name}: {name}"
            for module in modules
            for name in usesOfPrivate(module)
            if name not in OTHERS
        ]

    def test_shipped(self) -> None:
        """
        No module outside of the tests uses a private name of another.
        """
        self.assertEqual(self.find(SHIPPED), [])

    def test_tests(self) -> None:
        """
        Tests look into something private in a few places only.
        """
        found = self.find([module for module in MODULES if module not in SHIPPED])
        self.assertTrue(len(found) <= IN_TESTS, "\n".join(found))

    def test_found(self) -> None:
        """
        Imports and attributes are found, and what a module or its base has is not.
        """
        source = "from a import _b\nclass C:\n def f(self):\n  self._x = d._y\n  e._x = super()._z"
        module = Module("brxy.x", SHIPPED[0].path, ast.parse(source))
        self.assertEqual(sorted(usesOfPrivate(module)), ["_b", "d._y"])
