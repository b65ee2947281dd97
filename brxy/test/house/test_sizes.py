"""
Tests of the size of modules, functions, classes and folders. What is larger
must be listed in C{doc/architecture.rst}, with the reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.test.support.pages import readPage, section

__all__ = ["SizeTests"]

PACKAGE = Path(brxy.__file__).parent

MODULE_LINES = 350
FUNCTION_LINES = 40
CLASS_METHODS = 25
FOLDER_MODULES = 16

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> Iterator[tuple[str, Path]]:
    """
    @return: all modules of brxy except its tests, with their dotted names.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[:2] != ("brxy", "test"):
            yield ".".join(parts).removesuffix(".__init__"), path


def isTooLarge(node: ast.AST) -> bool:
    """
    @return: whether a node is a function or a class that is larger than the
        rule.
    """
    if isinstance(node, FUNCTIONS):
        return (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    if isinstance(node, ast.ClassDef):
        return sum(isinstance(each, FUNCTIONS) for each in node.body) > CLASS_METHODS
    return False


def tooLargeIn(name: str, node: ast.AST) -> Iterator[str]:
    """
    @return: the functions and classes below a node that are larger than the
        rule.
    """
    for child in ast.iter_child_nodes(node):
        below = name
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            below = f"{name}.{child.name}"
        if isTooLarge(child):
            yield below
        yield from tooLargeIn(below, child)


def tooLarge() -> Iterator[str]:
    """
    @return: everything that is larger than the rule, by its dotted name.
    """
    held: dict[str, int] = {}
    for name, path in modules():
        text = path.read_text("utf-8")
        if text.count("\n") > MODULE_LINES:
            yield name
        yield from tooLargeIn(name, ast.parse(text))
        if path.name != "__init__.py":
            folder = name.rpartition(".")[0]
            held[folder] = held.get(folder, 0) + 1
    yield from (folder for folder, number in held.items() if number > FOLDER_MODULES)


def excepted() -> dict[str, str]:
    """
    @return: the reason of each exception that the page lists.
    """
    listed = section(readPage("architecture"), "What stays larger than the rule")
    found = re.findall(r"^``(brxy\.[\w.]+)``\n((?:    .*\n)*)", listed, re.MULTILINE)
    return {name: reason.strip() for name, reason in found}


class SizeTests(SynchronousTestCase):
    """
    Tests of sizes.
    """

    def test_sizes(self) -> None:
        """
        Only what the page lists is larger than the rule, and the page lists
        nothing else.
        """
        self.assertEqual(sorted(tooLarge()), sorted(excepted()))

    def test_reasons(self) -> None:
        """
        Each exception has a reason.
        """
        self.assertEqual([name for name, reason in excepted().items() if not reason], [])

    def test_counted(self) -> None:
        """
        The size of a function is counted from its first line to its last,
        wherever the function is. Only the methods of a class are counted.
        """
        long = "\n".join(["class A:", " def f(self):", *["  pass"] * FUNCTION_LINES])
        fitting = long.removesuffix("\n  pass")
        self.assertEqual(list(tooLargeIn("m", ast.parse(long))), ["m.A.f"])
        self.assertEqual(list(tooLargeIn("m", ast.parse(fitting))), [])
        methods = [f" def f{number}(self): pass" for number in range(CLASS_METHODS)]
        large = "\n".join(["class A:", " x = 1", *methods])
        self.assertEqual(list(tooLargeIn("m", ast.parse(large))), [])
        larger = f"{large}\n def g(self): pass"
        self.assertEqual(list(tooLargeIn("m", ast.parse(larger))), ["m.A"])
