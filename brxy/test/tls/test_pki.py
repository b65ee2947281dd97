"""
Tests of L{brxy.pki}, with OpenSSL's own command.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.certificates import CertificateStore
from brxy.pki import main
from brxy.test.support.loopback.papers import Papers


class PKITests(SynchronousTestCase):
    """
    Tests of C{python -m brxy.pki}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())

    def run_(self, *arguments: str) -> None:
        """
        Run a command that prints the files it makes.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        main(arguments)
        for path in out.getvalue().split():
            self.assertTrue(Path(path).exists(), path)

    def refused(self, *arguments: str) -> str:
        """
        @return: why something can't be done.
        """
        err = io.StringIO()
        self.patch(sys, "stderr", err)
        self.assertEqual(self.assertRaises(SystemExit, main, arguments).code, 1)
        name, _, line = err.getvalue().partition(": ")
        self.assertEqual((name, line.count("\n")), ("brxy.pki", 1))
        return line.rstrip("\n")

    def openssl(self, *arguments: str) -> str:
        """
        @return: what C{openssl} says, in the folder.
        """
        command = ("openssl", *arguments)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_process(self) -> None:
        """
        The two lines of the documentation make all that is needed.
        """
        for words in (("init", "pki"), ("issue", "pki", "web1")):
            command = (sys.executable, "-m", "brxy.pki", *words)
            self.folder.mkdir(exist_ok=True)
            environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
            subprocess.run(command, cwd=self.folder, env=environ, check=True, capture_output=True)
        files = sorted(path.name for path in (self.folder / "pki").iterdir())
        self.assertEqual(files, ["ca.key", "ca.pem", "web1.key", "web1.pem"])

    def test_good(self) -> None:
        """
        What is issued is good for a server as for a client, by the strict rules
        of RFC 5280, for each of its names and addresses.
        """
        self.run_("init", str(self.folder))
        self.run_("issue", str(self.folder), "edge.example.net", "127.0.0.1", "::1", "web1")
        strict = ("verify", "-x509_strict", "-CAfile", "ca.pem")
        for purpose in ("sslserver", "sslclient"):
            for check, name in (
                ("-verify_hostname", "edge.example.net"),
                ("-verify_hostname", "web1"),
                ("-verify_ip", "127.0.0.1"),
                ("-verify_ip", "::1"),
            ):
                options = ("-purpose", purpose, check, name)
                self.openssl(*strict, *options, "edge.example.net.pem")

    def test_times(self) -> None:
        """
        A certificate is good at once, where a clock is a little late too, and for
        two years; that of the authority for ten.
        """
        self.run_("init", str(self.folder))
        self.run_("issue", str(self.folder), "web1")
        day = 24 * 3600
        for name, days in (("web1.pem", 730), ("ca.pem", 3650)):
            for seconds, good in ((day * days - 3600, True), (day * days + 3600, False)):
                command = ("openssl", "x509", "-checkend", str(seconds), "-in", name, "-noout")
                done = subprocess.run(command, cwd=self.folder, capture_output=True)
                self.assertEqual(done.returncode == 0, good, (name, seconds))

    def test_private(self) -> None:
        """
        No other user can read a key, whatever the umask.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.run_("init", str(self.folder))
        self.run_("issue", str(self.folder), "web1")
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        for name, mode in (("ca.key", 0o600), ("web1.key", 0o600), ("web1.pem", 0o644)):
            self.assertEqual((self.folder / name).stat().st_mode & 0o777, mode)

    def test_kept(self) -> None:
        """
        What is there is not overwritten.
        """
        self.run_("init", str(self.folder))
        self.run_("issue", str(self.folder), "web1")
        before = {path: path.read_bytes() for path in self.folder.iterdir()}
        for words, name in (
            (("init", str(self.folder)), "ca.pem"),
            (("issue", str(self.folder), "web1"), "web1.pem"),
            (("issue", str(self.folder), "ca"), "ca.pem"),
        ):
            why = f"{self.folder / name} is there already: remove it first to have another"
            self.assertEqual(self.refused(*words), why)
        (self.folder / "web1.pem").unlink()
        self.assertIn("web1.key is there already", self.refused("issue", str(self.folder), "web1"))
        after = {path: path.read_bytes() for path in self.folder.iterdir()}
        self.assertEqual({**before, **after}, before)

    def test_refused(self) -> None:
        """
        Errors are reported in one line.
        """
        folder = str(self.folder)
        for words in (
            (),
            ("init",),
            ("issue", folder),
            ("issue",),
            ("--help",),
            ("init", "a", "b"),
            ("issue", folder, "--for", "clients"),
            ("issue", folder, "web1", "--for"),
            ("issue", folder, "web1", "--for", "all"),
        ):
            usage = "usage: init DIR, or issue DIR NAME [NAME...] [--for nodes|clients]"
            self.assertEqual(self.refused(*words), usage)
        self.assertIn("python -m brxy.pki init makes one", self.refused("issue", folder, "web1"))
        self.run_("init", folder)
        for name in (
            "",
            "a b",
            "../web1",
            "Web1",
            "-x",
            "a/b",
            "[::1]",
            "*.example.net",
            "x" * 64,
        ):
            self.assertIn("is neither a host name", self.refused("issue", folder, "web1", name))
        self.assertEqual(len(list(self.folder.iterdir())), 2)
        (self.folder / "ca.key").write_text("no key")
        self.assertIn("are not what init made", self.refused("issue", folder, "web1"))
        (self.folder / "file").touch()
        self.assertIn("File exists", self.refused("init", f"{folder}/file"))

    def test_clients(self) -> None:
        """
        What is issued for clients is in a folder for C{--tls-certs}, and can be for all names
        below one.
        """
        folder = str(self.folder)
        self.run_("init", folder)
        self.run_("issue", folder, "shop.example.net", "127.0.0.1", "--for", "clients")
        self.run_("issue", folder, "*.example.net", "--for", "clients")
        self.run_("issue", folder, "web1", "--for", "nodes")
        clients = self.folder / "clients"
        for name, mode in (
            ("shop.example.net.crt", 0o644),
            ("shop.example.net.key", 0o600),
            ("_.example.net.crt", 0o644),
            ("_.example.net.key", 0o600),
        ):
            self.assertEqual((clients / name).stat().st_mode & 0o777, mode)
        self.assertTrue((self.folder / "web1.pem").exists())
        CertificateStore(str(clients))
        for name in ("shop.example.net", "x.example.net"):
            options = ("-CAfile", "ca.pem", "-purpose", "sslserver", "-verify_hostname", name)
            file = "shop.example.net.crt" if name[0] == "s" else "_.example.net.crt"
            self.openssl("verify", "-x509_strict", *options, f"clients/{file}")
        self.assertIn(
            "is there already", self.refused("issue", folder, "*.example.net", "--for", "clients")
        )
        for name in ("*", "*.", "x.*.net", "**.net"):
            words = ("issue", folder, name, "--for", "clients")
            self.assertIn("is neither a host name", self.refused(*words))

    def test_distinct(self) -> None:
        """
        No authority has issued what another has.
        """
        one, other = Papers(self.mktemp()), Papers(str(self.folder))
        certificate, _ = one.issue("web1")
        command = ("openssl", "verify", "-CAfile", other.ca, certificate)
        self.assertNotEqual(subprocess.run(command, capture_output=True).returncode, 0)
