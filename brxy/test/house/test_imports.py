"""
The layers of brxy, and that its imports only point down.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

import brxy

#: Every module outside of brxy.test, layer by layer: interfaces and values,
#: pure decisions, Twisted shells, what wires them.  The module of a package
#: says what it is for and imports nothing.
LAYERS = """
    brxy brxy.edge brxy.node brxy.spawners
    brxy.values
    brxy.wire
    brxy.http
    brxy.broker
    brxy.scaler
    brxy.reactor
    brxy.transport
    brxy.tls
    brxy.slots
    brxy.processes
    brxy.apps
    brxy.program
    brxy.spawners.local
    brxy.spawners.docker
    brxy.spawners.swarm
    brxy.spawners.kubernetes
    brxy.spawners.ssh
    brxy.edge.config
    brxy.edge.exchanges
    brxy.edge.slots
    brxy.edge.clients
    brxy.edge.fleet
    brxy.interfaces brxy.errors

    brxy.wire.frames brxy.apps.lifetime brxy.values.routename brxy.values.networks brxy.wire.proxyheader
    brxy.http.fields brxy.http.request brxy.http.response brxy.http.render
    brxy.http.messages brxy.http.forwarding brxy.http.chunks brxy.http.body brxy.edge.exchanges.table
    brxy.edge.routes brxy.edge.slots.access brxy.scaler.instance brxy.scaler.decisions brxy.broker.pool
    brxy.broker.broker brxy.scaler.breaker brxy.scaler.ledger brxy.scaler.rolls
    brxy.scaler.agenda brxy.scaler.orders brxy.scaler.shortage brxy.scaler.lifecycle
    brxy.edge.config.limits brxy.edge.clients.timeouts brxy.scaler.knownroutes
    brxy.scaler.scaler brxy.wire.clienthello
    brxy.spawners.spec brxy.spawners.describe brxy.spawners.ssh.client brxy.spawners.ssh.hosts
    brxy.spawners.ssh.remote
    brxy.spawners.kubernetes.status brxy.spawners.kubernetes.pod

    brxy.transport.relay brxy.reactor.deadlines brxy.reactor.reader brxy.reactor.hangup brxy.transport.tcpinfo brxy.transport.connection
    brxy.transport.splice brxy.transport.poller brxy.transport.socketend brxy.transport.sending brxy.transport.stream
    brxy.transport.accepting brxy.transport.dialing brxy.transport.inherited brxy.transport.epollreactor
    brxy.slots.framed brxy.apps.connection brxy.apps.backend brxy.apps.announcing brxy.apps.keeper
    brxy.processes.pipes brxy.processes.groups brxy.processes.launch brxy.processes.launcher
    brxy.processes.child brxy.processes.ports brxy.readiness brxy.apps.command brxy.apps.app
    brxy.program.exitstatus brxy.reactor.signals brxy.reactor.turns brxy.program.systemd brxy.program.tokenfile
    brxy.tls.contexts brxy.tls.transport brxy.tls.handshakes brxy.tls.certificates
    brxy.edge.clients.peer brxy.edge.exchanges.carrier brxy.edge.exchanges.http brxy.edge.clients.connection
    brxy.edge.clients.http1 brxy.edge.clients.tcp brxy.edge.clients.proxied
    brxy.edge.slots.tls brxy.edge.slots.refusals
    brxy.edge.slots.node brxy.edge.slots.direct brxy.edge.slots.reach brxy.edge.fleet.recovery
    brxy.edge.fleet.starter brxy.edge.clients.admission brxy.edge.clients.redirect brxy.edge.clients.certificates
    brxy.edge.clients.sni
    brxy.edge.fleet.instances brxy.edge.dispatch brxy.edge.fleet.statefile brxy.edge.config.settings brxy.edge.endpoints
    brxy.edge.service
    brxy.node.owner brxy.node.slot brxy.node.dial brxy.node.link brxy.node.service brxy.node.early
    brxy.spawners.registry brxy.spawners.local.base brxy.spawners.local.process
    brxy.spawners.local.app
    brxy.spawners.ssh.options brxy.spawners.ssh.folder brxy.spawners.ssh.link
    brxy.spawners.ssh.session brxy.spawners.ssh.spawner
    brxy.spawners.docker.answers brxy.reactor.pacedfactory brxy.spawners.docker.engine brxy.spawners.docker.options
    brxy.spawners.docker.dialback brxy.spawners.docker.removal brxy.spawners.docker.ending
    brxy.spawners.docker.instance brxy.spawners.docker.base brxy.spawners.docker.watch brxy.spawners.docker.pulls
    brxy.spawners.docker.container brxy.spawners.docker.spawner
    brxy.spawners.swarm.tasks brxy.spawners.swarm.service brxy.spawners.swarm.spawner
    brxy.spawners.kubernetes.files brxy.spawners.kubernetes.credentials brxy.spawners.kubernetes.config
    brxy.spawners.kubernetes.link brxy.spawners.kubernetes.bodies brxy.spawners.kubernetes.api brxy.spawners.kubernetes.pods
    brxy.spawners.kubernetes.watch brxy.spawners.kubernetes.options brxy.spawners.kubernetes.instance
    brxy.spawners.kubernetes.spawner
    brxy.spawners.testing.app brxy.spawners.testing.tools brxy.spawners.testing.bed brxy.spawners.testing.suite brxy.spawners.testing

    brxy.program.options brxy.program.main brxy.pki
    brxy.edge.tap brxy.edge.__main__
    brxy.node.tap brxy.node.__main__
"""

LAYER_OF = {
    name: number for number, names in enumerate(LAYERS.split("\n\n")) for name in names.split()
}

#: What a module has that the table doesn't know: may use all, be used by none.
UNKNOWN = 4

#: Who knows nothing of whom.
STRANGERS = {
    "brxy.edge": "brxy.node",
    "brxy.node": "brxy.edge brxy.spawners",
    "brxy.spawners": "brxy.edge brxy.node",
}

#: What does input and output, keeps time or waits: not for L0 and L1.
IMPURE = """
    twisted.application twisted.internet twisted.protocols twisted.web treq
    asyncio concurrent datetime fcntl io mmap multiprocessing os pathlib queue
    sched select selectors shutil signal socket socketserver ssl subprocess
    tempfile threading time
"""

#: What L0 needs nevertheless, to say what is returned.
ANNOTATIONS = "twisted.internet.defer twisted.internet.interfaces"

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def within(name: str, packages: str) -> bool:
    """
    @return: whether C{name} is one of C{packages}, or in one.
    """
    return any(name == package or name.startswith(package + ".") for package in packages.split())


def forTyping(node: ast.AST) -> bool:
    """
    @return: whether this is C{if TYPE_CHECKING}.
    """
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


@frozen
class Import:
    """
    One imported name: C{from a import b} makes two, C{a} and C{a.b}.

    @ivar deferred: it stands in a function.
    @ivar typing: it is there for the type checker alone.
    """

    name: str
    deferred: bool
    typing: bool


@frozen
class Module:
    """
    What a module's source says about it.
    """

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> list[Import]:
        """
        @return: all imports, wherever in the module they are.
        """
        return list(self._below(self.tree, False, False))

    def internal(self) -> list[Import]:
        """
        @return: the imports of brxy's own modules, each by the module's name.
        """
        modules = {module.name for module in MODULES}
        return [found for found in self.imports() if found.name in modules]

    def _below(self, node: ast.AST, deferred: bool, typing: bool) -> Iterator[Import]:
        deferred = deferred or isinstance(node, FUNCTIONS)
        typing = typing or forTyping(node)
        for name in self._named(node):
            yield Import(name, deferred, typing)
        for child in ast.iter_child_nodes(node):
            yield from self._below(child, deferred, typing)

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
    @return: all modules of brxy, its tests too.
    """
    root = Path(brxy.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = ["brxy", *path.relative_to(root).with_suffix("").parts]
        yield readModule(".".join(parts).removesuffix(".__init__"), path)


MODULES = list(readModules())
SHIPPED = [module for module in MODULES if not within(module.name, "brxy.test")]


class LayerTests(SynchronousTestCase):
    """
    Imports only point down.
    """

    def test_everyModuleHasOne(self) -> None:
        """
        The table lists every module there is, and none that isn't.
        """
        self.assertEqual(sorted(LAYER_OF), sorted(module.name for module in SHIPPED))

    def test_everyModuleHasOnlyOne(self) -> None:
        """
        No module stands in the table twice.
        """
        self.assertEqual(sorted(LAYER_OF), sorted(LAYERS.split()))

    def test_pointDown(self) -> None:
        """
        No module imports one of a layer above its own, nor a test.
        """
        wrong = [
            (module.name, found.name)
            for module in SHIPPED
            for found in module.internal()
            if LAYER_OF.get(found.name, UNKNOWN) > LAYER_OF.get(module.name, UNKNOWN)
        ]
        self.assertEqual(wrong, [])

    def test_notSideways(self) -> None:
        """
        Edge and node don't import each other; spawners know neither.
        """
        wrong = [
            (module.name, found.name)
            for module in SHIPPED
            for package, strangers in STRANGERS.items()
            if within(module.name, package)
            for found in module.imports()
            if within(found.name, strangers)
        ]
        self.assertEqual(wrong, [])

    def test_noCircles(self) -> None:
        """
        No module needs itself to be imported, by whatever way round.
        """
        graph = {
            module.name: {found.name for found in module.internal() if not found.typing}
            for module in SHIPPED
        }
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            self.fail(" -> ".join(error.args[1]))


class PurityTests(SynchronousTestCase):
    """
    What decides does nothing else.
    """

    def test_noInputOutput(self) -> None:
        """
        L0 and L1 import nothing that reads, writes, waits or knows the time.
        """
        wrong = [
            (module.name, found.name)
            for module in SHIPPED
            if LAYER_OF.get(module.name, UNKNOWN) <= 1
            for found in module.imports()
            if within(found.name, IMPURE) and not self.allowed(module, found)
        ]
        self.assertEqual(wrong, [])

    def allowed(self, module: Module, found: Import) -> bool:
        """
        @return: whether it only serves annotations, where those are due.
        """
        # The package is what C{from twisted.internet import defer} names first.
        packages = "twisted.internet" if found.name == "twisted.internet" else ANNOTATIONS
        return LAYER_OF.get(module.name) == 0 and within(found.name, packages)


class HabitTests(SynchronousTestCase):
    """
    What is done the same way everywhere.
    """

    def test_reactorIsAnArgument(self) -> None:
        """
        No module imports the reactor when it is imported itself.
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
        Nothing uses C{inlineCallbacks}.
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
        What anybody's twistd imports to fill its cache imports nothing of ours.
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
    L{Module} finds imports however they are written.
    """

    def find(self, source: str, name: str = "brxy.edge.x", file: str = "x.py") -> set[str]:
        return {found.name for found in Module(name, Path(file), ast.parse(source)).imports()}

    def test_forms(self) -> None:
        """
        Both statements are found, in functions and classes too.
        """
        source = "import a.b as c\ndef f():\n class D:\n  from e import g, h"
        self.assertEqual(self.find(source), {"a.b", "e", "e.g", "e.h"})

    def test_relative(self) -> None:
        """
        Dots count from the package the module is in.
        """
        self.assertEqual(self.find("from . import y"), {"brxy.edge", "brxy.edge.y"})
        self.assertEqual(self.find("from ..node import y"), {"brxy.node", "brxy.node.y"})
        self.assertEqual(
            self.find("from .x import y", "brxy.edge", "__init__.py"),
            {"brxy.edge.x", "brxy.edge.x.y"},
        )

    def test_circumstances(self) -> None:
        """
        It is known what is only imported in a function, or for typing.
        """
        source = "if TYPE_CHECKING:\n import a\ndef f():\n import b"
        found = Module("brxy.x", Path("x.py"), ast.parse(source)).imports()
        self.assertEqual(found, [Import("a", False, True), Import("b", True, False)])
