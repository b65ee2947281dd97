"""
Tests of the packages of brxy: imports only point down, and packages that
decide do nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.test.house.packages import (
    EDGE_PARTS,
    PURE,
    ROOT,
    SPAWNER_PARTS,
    allowed,
    packageOf,
)

#: Modules that do input and output, read the clock or wait: pure packages may not import them.
IMPURE = """
    twisted.application twisted.internet twisted.protocols twisted.web treq
    asyncio concurrent datetime fcntl io mmap multiprocessing os pathlib queue
    sched select selectors shutil signal socket socketserver ssl subprocess
    tempfile threading time
"""

#: Modules that the contract with spawner authors imports for its return types.
ANNOTATIONS = "twisted.internet.defer twisted.internet.interfaces twisted.python.failure"

# In two parts, so that a search for it finds nothing.
_FOR_TYPING = "typing.TYPE" + "_CHECKING"

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def within(name: str, packages: str) -> bool:
    """
    @return: whether C{name} is one of C{packages}, or inside one.
    """
    return any(name == package or name.startswith(package + ".") for package in packages.split())


@frozen
class Import:
    """
    One imported name: C{from a import b} makes two, C{a} and C{a.b}.

    @ivar deferred: the import is inside a function.
    """

    name: str
    deferred: bool


@frozen
class Module:
    """
    The imports that the source of a module contains.
    """

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> list[Import]:
        """
        @return: all imports, wherever in the module they are.
        """
        return list(self._below(self.tree, False))

    def internal(self) -> list[Import]:
        """
        @return: the imports of brxy's own modules, each with the module's
            name.
        """
        modules = {module.name for module in MODULES}
        found = [each for each in self.imports() if each.name in modules]
        # "from package import module" imports the module.
        below = {each.name.rpartition(".")[0] for each in found if each.name != self.name}
        return [each for each in found if each.name not in below]

    def _below(self, node: ast.AST, deferred: bool) -> Iterator[Import]:
        deferred = deferred or isinstance(node, FUNCTIONS)
        for name in self._named(node):
            yield Import(name, deferred)
        for child in ast.iter_child_nodes(node):
            yield from self._below(child, deferred)

    def _named(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                levels = node.level - (self.path.name == "__init__.py")
                parts = self.name.split(".")
                origin = ".".join([*parts[: len(parts) - levels], *origin.split(".")]).rstrip(".")
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def readModule(name: str, path: Path) -> Module:
    return Module(name, path, ast.parse(path.read_text("utf-8"), str(path)))


def readModules() -> Iterator[Module]:
    """
    @return: all modules of brxy, with its tests.
    """
    root = Path(brxy.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = ["brxy", *path.relative_to(root).with_suffix("").parts]
        yield readModule(".".join(parts).removesuffix(".__init__"), path)


CHECKOUT = Path(brxy.__file__).parents[1]
MODULES = list(readModules())
SHIPPED = [module for module in MODULES if not within(module.name, "brxy.test")]


def arrows(modules: Iterable[Module]) -> Iterator[tuple[str, str]]:
    """
    @return: each import from one package to another, as the two modules.
    """
    for module in modules:
        for found in module.internal():
            if packageOf(found.name) != packageOf(module.name) and found.name != "brxy":
                yield module.name, found.name


def forbidden(modules: Iterable[Module]) -> list[str]:
    """
    @return: the imports that the lists don't allow, with both files named.
    """
    return [
        f"{pathOf(importer)} imports {pathOf(imported)}"
        for importer, imported in arrows(modules)
        if packageOf(importer) and packageOf(imported) not in allowed(packageOf(importer))
    ]


def pathOf(name: str) -> str:
    return next(
        (str(module.path.relative_to(CHECKOUT)) for module in MODULES if module.name == name), name
    )


class PackageTests(SynchronousTestCase):
    """
    Tests that imports only point down the lists of
    L{brxy.test.house.packages}.
    """

    def test_listed(self) -> None:
        """
        The lists contain each package that exists, and no other.
        """
        listed = {
            *(each for each in ROOT if each not in ("spawners", "edge")),
            *(f"spawners.{each}" for each in SPAWNER_PARTS),
            *(f"edge.{each}" for each in EDGE_PARTS),
        }
        found = {packageOf(module.name) for module in SHIPPED}
        self.assertEqual(found - {"", "spawners", "edge"}, listed)

    def test_listsPointDown(self) -> None:
        """
        A package may only import packages that come before it in its list.
        """
        for packages in (ROOT, SPAWNER_PARTS, EDGE_PARTS):
            names = list(packages)
            for name, others in packages.items():
                before = names[: names.index(name)]
                wrong = [each for each in others.split() if each.split(".")[0] not in before]
                self.assertEqual(wrong, [], name)

    def test_pointDown(self) -> None:
        """
        No module imports what the lists don't allow, or a test.
        """
        self.assertEqual(forbidden(SHIPPED), [])

    def test_pointingUp(self) -> None:
        """
        An import that points up is reported with both files.
        """
        path = CHECKOUT / "brxy" / "broker" / "pool.py"
        module = Module("brxy.broker.pool", path, ast.parse("import brxy.scaler.instance"))
        expected = "brxy/broker/pool.py imports brxy/scaler/instance.py"
        self.assertEqual(forbidden([module]), [expected])

    def test_noCircles(self) -> None:
        """
        No module imports itself, directly or through others.
        """
        graph = {module.name: {found.name for found in module.internal()} for module in SHIPPED}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            self.fail(" -> ".join(error.args[1]))

    def test_noTypeChecking(self) -> None:
        """
        No module imports anything only for the type checker: a lower module
        declares what it needs of its owner in a Protocol of its own.
        """
        wrong = [
            module.name
            for module in MODULES
            for found in module.imports()
            if found.name == _FOR_TYPING
        ]
        self.assertEqual(wrong, [])


class PurityTests(SynchronousTestCase):
    """
    Tests that packages which decide do nothing else.
    """

    def test_noInputOutput(self) -> None:
        """
        Pure packages, and modules with "Pure:" in their docstring, import
        nothing that reads, writes, waits or uses the clock.
        """
        wrong = [
            (module.name, found.name)
            for module in SHIPPED
            if self.isPure(module)
            for found in module.imports()
            if within(found.name, IMPURE) and not self.allowed(module, found)
        ]
        self.assertEqual(wrong, [])

    def test_contract(self) -> None:
        """
        The contract with spawner authors imports from Twisted only its return
        types.
        """
        contract = {"brxy.interfaces", "brxy.errors"}
        self.assertEqual(
            contract - {module.name for module in SHIPPED if self.isPure(module)}, set()
        )

    def isPure(self, module: Module) -> bool:
        """
        @return: whether a module is in a pure package, or says "Pure:" in its
            docstring.
        """
        said = (ast.get_docstring(module.tree) or "").split()
        pure = packageOf(module.name) in [*PURE.split(), "interfaces", "errors"]
        return pure or "Pure:" in said

    def allowed(self, module: Module, found: Import) -> bool:
        """
        @return: whether an import only serves annotations, in a module where
            that is allowed.
        """
        # The first name of C{from twisted.internet import defer} is the package.
        packages = "twisted.internet" if found.name == "twisted.internet" else ANNOTATIONS
        return packageOf(module.name) == "interfaces" and within(found.name, packages)


class HabitTests(SynchronousTestCase):
    """
    Tests of conventions that hold everywhere.
    """

    def test_reactorIsAnArgument(self) -> None:
        """
        No module imports the reactor at its top level.
        """
        wrong = [
            module.name
            for module in MODULES
            for found in module.imports()
            if within(found.name, "twisted.internet.reactor") and not found.deferred
        ]
        self.assertEqual(wrong, [])

    def test_coroutines(self) -> None:
        """
        No module uses C{inlineCallbacks}.
        """
        wrong = [
            module.name
            for module in MODULES
            for found in module.imports()
            if found.name.endswith(".inlineCallbacks")
        ]
        attributes = [
            module.name
            for module in MODULES
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr == "inlineCallbacks"
        ]
        self.assertEqual(wrong + attributes, [])

    def test_pluginNamesOnly(self) -> None:
        """
        The plugin, which any twistd imports to fill its cache, imports none of
        brxy's modules.
        """
        spec = find_spec("twisted.plugins.brxy_plugin")
        assert spec is not None and spec.origin is not None
        plugin = readModule(spec.name, Path(spec.origin))
        self.assertEqual(
            [found.name for found in plugin.imports()],
            ["twisted.application.service", "twisted.application.service.ServiceMaker"],
        )


class ReadingTests(SynchronousTestCase):
    """
    Tests that L{Module} finds imports in any form.
    """

    def find(self, source: str, name: str = "brxy.edge.x", file: str = "x.py") -> set[str]:
        return {found.name for found in Module(name, Path(file), ast.parse(source)).imports()}

    def test_forms(self) -> None:
        """
        Both import statements are found, also in functions and classes.
        """
        source = "import a.b as c\ndef f():\n class D:\n  from e import g, h"
        self.assertEqual(self.find(source), {"a.b", "e", "e.g", "e.h"})

    def test_relative(self) -> None:
        """
        Dots of a relative import count from the package of the module.
        """
        self.assertEqual(self.find("from . import y"), {"brxy.edge", "brxy.edge.y"})
        self.assertEqual(self.find("from ..node import y"), {"brxy.node", "brxy.node.y"})
        self.assertEqual(
            self.find("from .x import y", "brxy.edge", "__init__.py"),
            {"brxy.edge.x", "brxy.edge.x.y"},
        )

    def test_circumstances(self) -> None:
        """
        An import inside a function is marked as deferred.
        """
        found = Module(
            "brxy.x", Path("x.py"), ast.parse("import a\ndef f():\n import b")
        ).imports()
        self.assertEqual(found, [Import("a", False), Import("b", True)])
