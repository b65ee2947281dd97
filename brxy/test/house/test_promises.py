"""
Tests of the names that other projects rely on: those that authors of spawners
import, and those that brxy installs.
"""

from __future__ import annotations

from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.spawners.registry import BUILT_IN

CHECKOUT = Path(brxy.__file__).parents[1]

#: What a spawner may import, see L{brxy.interfaces.SPAWNER_VERSION}.  Names may be added
#: here, and none goes away.
PROMISED = {
    "brxy.interfaces": "Address Gone IInstance ILeaving ILimited ILocalProcess IRecovering"
    " ISpawner ISpawnerFactory SPAWNER_VERSION SpawnOrder",
    "brxy.errors": "BadSpawnSpec BrxyError SpawnFailed UsageError",
    "brxy.readiness": "urlPath waitUntilReady",
    "brxy.spawners.spec": "Common SpawnSpec optionKeys parseSpawn portNumber positiveInt"
    " routePattern seconds splitCommon",
    "brxy.spawners.testing": "SpawnerTests",
}


class PromiseTests(SynchronousTestCase):
    """
    Tests of promised names.
    """

    def test_names(self) -> None:
        """
        Each name that is promised to authors of spawners can be imported, and
        is public.
        """
        for module, names in PROMISED.items():
            found = import_module(module)
            for name in names.split():
                self.assertTrue(hasattr(found, name), f"{module}.{name}")
                self.assertIn(name, getattr(found, "__all__", [name]))


class SetupTests(SynchronousTestCase):
    """
    Tests of C{setup.cfg}.
    """

    def setUp(self) -> None:
        path = CHECKOUT / "setup.cfg"
        if not path.exists():
            raise SkipTest("needs a checkout of brxy: git clone it")
        self.config = ConfigParser()
        self.config.read(path, "utf-8")

    def test_packages(self) -> None:
        """
        The file lists the packages that exist, except those of the tests, in
        the order of their names.
        """
        folders = (each.parent for each in (CHECKOUT / "brxy").rglob("__init__.py"))
        names = sorted(".".join(each.relative_to(CHECKOUT).parts) for each in folders)
        installed = [each for each in names if not f"{each}.".startswith("brxy.test.")]
        listed = self.config["options"]["packages"].split()
        self.assertEqual(listed, [*installed, "twisted.plugins"])

    def test_entryPoints(self) -> None:
        """
        The file declares the spawners that are known without being installed,
        and each of them can be loaded.
        """
        offered = self.config["options.entry_points"]["brxy.spawners"].strip().splitlines()
        self.assertEqual(offered, [f"{each.name} = {each.value}" for each in BUILT_IN])
        for each in BUILT_IN:
            self.assertEqual(each.load().name, each.name)
