"""
Tests of L{brxy.spawners.registry}.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.errors import BadSpawnSpec
from brxy.interfaces import SPAWNER_VERSION, ISpawner, ISpawnerFactory
from brxy.spawners.local import process
from brxy.spawners.local.app import AppSpawner
from brxy.spawners.local.process import ProcessSpawner
from brxy.spawners.registry import GROUP, buildSpawner, findSpawner, findSpawners
from brxy.spawners.spec import Common, SpawnSpec, optionKeys

# A module with a plugin that looks like a spawner, named by {name}.
_PLUGIN = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from brxy.interfaces import ISpawnerFactory

@implementer(IPlugin, ISpawnerFactory)
class Factory:
    name = "{name}"
    summary = options = create = None

it = Factory()
"""


class FindTests(SynchronousTestCase):
    """
    Tests of L{findSpawner}.
    """

    def offer(self, name: str, value: str) -> EntryPoint:
        """
        What an installed package offers.
        """
        return EntryPoint(name, value, GROUP)

    def package(self, **modules: str) -> ModuleType:
        """
        @return: a package of plugin modules.
        """
        name = f"plugins_{id(self)}"
        path = Path(self.mktemp()).absolute()
        (path / name).mkdir(parents=True)
        (path / name / "__init__.py").touch()
        for module, source in modules.items():
            (path / name / f"{module}.py").write_text(source)
        sys.path.insert(0, str(path))
        self.addCleanup(sys.path.remove, str(path))
        self.addCleanup(self.forget, name)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def forget(self, package: str) -> None:
        """
        Let nothing of a package stay imported.
        """
        for name in list(sys.modules):
            if name.partition(".")[0] == package:
                del sys.modules[name]

    def assertBad(self, message: str, name: str, **kw: Any) -> None:
        """
        There is no such spawner, and this line says so.
        """
        kw.setdefault("installed", [])
        kw.setdefault("plugins", self.package())
        error = self.assertRaises(BadSpawnSpec, findSpawner, name, **kw)
        self.assertEqual(str(error), message)

    def test_builtIn(self) -> None:
        """
        Our own are found without being installed, by the names they have, with
        help for each of their keys.
        """
        for name in ("process", "app", "ssh"):
            factory = findSpawner(name, installed=[])
            verifyObject(ISpawnerFactory, factory)
            self.assertEqual(factory.name, name)
            for each in optionKeys(factory.options).values():
                self.assertTrue(each.metadata["help"])

    def test_metadata(self) -> None:
        """
        What is really installed here does no harm.
        """
        self.assertIs(findSpawner("process"), process.factory)

    def test_entryPoint(self) -> None:
        """
        An installed package can add one.
        """
        offer = self.offer("other", "brxy.spawners.local.process:factory")
        self.assertIs(findSpawner("other", [offer]), process.factory)

    def test_builtInFirst(self) -> None:
        """
        An installed package can't take the place of one of ours.
        """
        offer = self.offer("process", "brxy.spawners.local.app:factory")
        self.assertIs(findSpawner("process", [offer]), process.factory)

    def test_plugin(self) -> None:
        """
        So can a plugin, beside others that are broken or something else.
        """
        package = self.package(
            good=_PLUGIN.format(name="mesos"),
            broken=_PLUGIN.format(name="nomad") + "Factory.name = property(lambda _: 1 / 0)",
            other="",
        )
        self.assertEqual(findSpawner("mesos", [], package).name, "mesos")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unknown(self) -> None:
        """
        An unknown name is answered with those that are known.
        """
        self.assertBad(
            "there is no spawner 'x' (known: app, docker, installed, kubernetes, mesos,"
            " process, ssh, swarm)",
            "x",
            installed=[self.offer("installed", "no.such:thing")],
            plugins=self.package(good=_PLUGIN.format(name="mesos")),
        )

    def test_brokenEntryPoint(self) -> None:
        """
        A spawner that can't be loaded is reported when it is looked for, and only then.
        """
        offers = [
            self.offer("gone", "no_such_module:factory"),
            self.offer("wrong", "brxy.spawners.local.process:ProcessOptions"),
            self.offer("good", "brxy.spawners.local.process:factory"),
        ]
        self.assertIs(findSpawner("good", offers), process.factory)
        self.assertBad(
            "the spawner 'gone' can't be loaded from no_such_module:factory:"
            " ModuleNotFoundError: No module named 'no_such_module'",
            "gone",
            installed=offers,
        )
        self.assertBad(
            "the spawner 'wrong' can't be used: brxy.spawners.local.process:ProcessOptions"
            " is not an ISpawnerFactory",
            "wrong",
            installed=offers,
        )

    def test_version(self) -> None:
        """
        One that says what version it was written for is found, unless that is
        newer than ours, or no version.
        """
        now = SPAWNER_VERSION
        self.assertEqual(findSpawner("v", [], self.versioned(now)).name, "v")
        for version, why in (
            (
                now + 1,
                f"it was written for version {now + 1} of brxy's spawner interfaces,"
                f" and this brxy has {now}",
            ),
            (0, "its written_for is not a version"),
            ("1", "its written_for is not a version"),
        ):
            message = f"the spawner 'v' can't be used: {why}"
            self.assertBad(message, "v", plugins=self.versioned(version))
            offer = self.offer("v", f"{self.versioned(version).__name__}.v:it")
            self.assertBad(message, "v", installed=[offer])

    def versioned(self, version: object) -> ModuleType:
        """
        @return: a package of plugins, with a spawner that says this.
        """
        self.forget(f"plugins_{id(self)}")
        return self.package(v=_PLUGIN.format(name="v") + f"Factory.written_for = {version!r}\n")

    def test_brokenPlugin(self) -> None:
        """
        A broken plugin may be the one that is missing.
        """
        package = self.package(
            broken=_PLUGIN.format(name="nomad") + "Factory.name = property(lambda _: 1 / 0)"
        )
        self.assertBad(
            "there is no spawner 'nomad' (known: app, docker, kubernetes, process, ssh, swarm);"
            f" the plugin {package.__name__}.broken is broken:"
            " ZeroDivisionError: division by zero",
            "nomad",
            plugins=package,
        )

    def test_hostileError(self) -> None:
        """
        What a broken spawner says of itself moves no cursor.
        """
        package = self.package(bad=_PLUGIN.format(name="bad") + "Factory.name = None")
        (path,) = package.__path__
        (Path(path) / "raises.py").write_text(r'raise ValueError("a\x1b[2J\u202e")')
        offer = self.offer("odd", f"{package.__name__}.raises:it")
        self.assertBad(
            f"the spawner 'odd' can't be loaded from {offer.value}:"
            r" ValueError: a\x1b[2J\u202e",
            "odd",
            installed=[offer],
        )

    def test_all(self) -> None:
        """
        All can be had at once: ours, what is installed and plugins, each by the
        name it would be found by; and why the others can't be used.
        """
        package = self.package(
            good=_PLUGIN.format(name="mesos"),
            taken=_PLUGIN.format(name="good"),
            new=_PLUGIN.format(name="new") + "Factory.written_for = 1000",
            broken=_PLUGIN.format(name="nomad") + "Factory.name = None",
        )
        factories, broken = findSpawners(
            [
                self.offer("good", "brxy.spawners.local.process:factory"),
                self.offer("app", "no_such_module:factory"),
                self.offer("gone", "no_such_module:factory"),
            ],
            package,
        )
        self.assertEqual(
            sorted(factories),
            ["app", "docker", "good", "kubernetes", "mesos", "process", "ssh", "swarm"],
        )
        for name, factory in factories.items():
            offers = [self.offer("good", "brxy.spawners.local.process:factory")]
            self.assertIs(findSpawner(name, offers, package), factory)
        self.assertEqual(
            [each.split(":")[0] for each in broken],
            [
                f"the plugin {package.__name__}.broken is broken",
                "the spawner 'gone' can't be loaded from no_such_module",
                "the spawner 'new' can't be used",
            ],
        )


class BuildTests(SynchronousTestCase):
    """
    Tests of L{buildSpawner}.
    """

    def test_text(self) -> None:
        """
        A text becomes a spawner and what the edge must know of it.
        """
        common, spawner = buildSpawner("app: max=2 ready-path=/ -- python demo.py", Clock())
        self.assertEqual(common, Common(max="2"))
        self.assertIsInstance(spawner, AppSpawner)
        verifyObject(ISpawner, spawner)

    def test_spec(self) -> None:
        """
        So does one that is parsed already.
        """
        _, spawner = buildSpawner(SpawnSpec("process", {}, ("node",)), Clock())
        self.assertIsInstance(spawner, ProcessSpawner)
        verifyObject(ISpawner, spawner)

    def test_bad(self) -> None:
        """
        Errors are reported in one line.
        """
        needs = "needs a command after --; the whole string must be in quotes"
        for text, message in (
            ("process:", f"process: {needs}"),
            ("app: max=2 --", f"app: {needs}"),
            (
                "app: ready-path=x -- y",
                "app: bad value for ready-path: 'x' (a path that begins with / is needed)",
            ),
        ):
            error = self.assertRaises(BadSpawnSpec, buildSpawner, text, Clock())
            self.assertEqual(str(error), message)
