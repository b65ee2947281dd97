"""
Tests that the page about the configuration file, C{doc/config.rst}, matches the code.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.files.keys import DEFAULTS, EDGE, REQUESTS, ROUTE
from brxy.edge.config.files.kinds import Kinds
from brxy.edge.config.files.loading import checkFile
from brxy.edge.exchanges.gzip import MOST
from brxy.http.coding import LEAST, TYPES
from brxy.spawners.registry import BUILT_IN, findSpawner
from brxy.test.support.pages import ROOT, readPage

# A cluster whose API is not reached.
_KUBECONFIG = """\
current-context: a
clusters: [{name: a, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {}}]
"""


class ConfigDocTests(SynchronousTestCase):
    """
    Tests of the page and of the files that it shows.
    """

    def test_example(self) -> None:
        """
        The example has no faults, and the page shows each of its files.
        """
        self.assertEqual(checkFile(str(ROOT / "examples" / "brxy.toml")), [])
        shown = re.findall(r"literalinclude:: \.\./(\S+)", readPage("config"))
        files = [ROOT / "examples" / "brxy.toml", *(ROOT / "examples" / "brxy.d").iterdir()]
        self.assertEqual(sorted(shown), sorted(str(each.relative_to(ROOT)) for each in files))

    def test_errors(self) -> None:
        """
        The page shows the real errors.
        """
        page = readPage("config")
        [text] = re.findall(r"With this file ::\n\n((?:    .*\n|\n)+)", page)
        [output] = re.findall(r"it prints:\n\n.. code-block:: text\n\n((?:    .*\n|\n)+)", page)
        folder = Path(self.mktemp())
        folder.mkdir()
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        Path("brxy.toml").write_text(re.sub(r"^    ", "", text, flags=re.MULTILINE))
        said = ["brxy-edge: brxy.toml can't be used:", *checkFile("brxy.toml")]
        self.assertEqual(output.split(), " ".join(said).split())

    def test_migrating(self) -> None:
        """
        The examples for readers who come from other software have no faults, and spawn what
        their section names.
        """
        page = readPage("migrating")
        found = re.findall(r"code-block:: toml\n\n((?:    .*\n|\n)+)", page)
        self.assertEqual(len(found), 4)
        cluster = Path(self.mktemp())
        cluster.write_text(_KUBECONFIG)
        with patch.dict(os.environ, KUBECONFIG=str(cluster)):
            for text in found:
                file = Path(self.mktemp())
                file.write_text(re.sub(r"^    ", "", text, flags=re.MULTILINE))
                self.assertEqual(checkFile(str(file)), [])

    def test_migratingNames(self) -> None:
        """
        What its tables name on the right are keys, options and commands of brxy.
        """
        page = readPage("migrating")
        kinds = Kinds()
        keys = {*EDGE, *DEFAULTS, *ROUTE, "env", "kind", "command"}
        for each in BUILT_IN:
            keys.update(kinds.keys(findSpawner(each.name)))
        rows = re.findall(
            r"^   \* - .*\n(?:       .*\n)*     - (.*\n(?:       .*\n)*)", page, re.M
        )
        self.assertGreater(len(rows), 20)
        for row in rows:
            for name in re.findall(r"``([a-z]+(?:-[a-z]+)*)``", row):
                self.assertIn(name, keys)

    def test_keys(self) -> None:
        """
        The keys and kinds that the page names are there.
        """
        page = readPage("config")
        for name in ("include", "token-file", "admin-token-file"):
            self.assertIn(name, EDGE)
            self.assertIn(f"``{name}``", page)
        for name in REQUESTS:
            self.assertIn(f"``{name}``", page)
        for media_type in TYPES:
            self.assertIn(f"``{media_type.decode()}``", page)
        self.assertIn(f"fewer than {LEAST:,} bytes", page)
        self.assertIn(f"{MOST} others", page)
        for name in ("capacity", "max-capacity", "max", "idle-timeout", "send-proxy"):
            self.assertIn(name, DEFAULTS)
        for each in BUILT_IN:
            self.assertIn(f"``{each.name}``", page)
