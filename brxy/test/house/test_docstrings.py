"""
What docstrings refer to exists.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getmembers, isclass
from types import ModuleType
from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

from brxy.test.house.test_imports import SHIPPED

#: C{L{name}}, or C{L{words<name>}}.
LINK = re.compile(r"L\{(?:[^}<]*<)?([^}>]+)>?\}")


def links(tree: ast.Module) -> Iterator[str]:
    """
    The names that the docstrings of a module refer to.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for name in LINK.findall(ast.get_docstring(node) or ""):
                yield " ".join(name.split())


def isKnown(name: str, module: ModuleType) -> bool:
    """
    Whether a reader of the module finds the name: in it, in one of its classes, among
    those that are built in, or by its full path.
    """
    first, _, member = name.partition(".")
    for place in (module, builtins, *(each for _, each in getmembers(module, isclass))):
        if hasattr(place, first):
            return not member or has(getattr(place, first), member)
    try:
        namedAny(name)
    except Exception:
        return False
    return True


def has(found: Any, member: str) -> bool:
    """
    Whether a class or an interface has a member, if only in its docstring.
    """
    if isinstance(found, InterfaceClass):
        return member in found
    return hasattr(found, member) or f"@ivar {member}:" in (found.__doc__ or "")


class LinkTests(SynchronousTestCase):
    """
    Tests of the links in docstrings.
    """

    def test_known(self) -> None:
        """
        Each refers to what its module has or imports, or is a full path.
        """
        wrong = [
            f"{module.name}: {name}"
            for module in SHIPPED
            if not module.name.endswith("__main__")
            for name in links(module.tree)
            if not isKnown(name, import_module(module.name))
        ]
        self.assertEqual(wrong, [])

    def test_unknown(self) -> None:
        """
        A name that is nowhere is found out, and so is a member that is not there.
        """
        tree = ast.parse('"""L{isKnown}, L{words<nothing>}, L{LinkTests.nowhere}, L{has}"""')
        here = import_module(__name__)
        found = [name for name in links(tree) if not isKnown(name, here)]
        self.assertEqual(found, ["nothing", "LinkTests.nowhere"])
