"""
Tests of L{brxy.processes.place} and L{brxy.processes.signalnames}.
"""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.processes import place
from brxy.processes.place import Place, User, folder, setpriv, user
from brxy.processes.signalnames import signalName, signalNumber, signalText


class FolderTests(SynchronousTestCase):
    """
    Tests of L{folder}.
    """

    def test_folder(self) -> None:
        """
        A relative path is one of the folder in which brxy was started.
        """
        path = self.mktemp()
        os.makedirs(path)
        self.assertEqual(folder(path), os.path.abspath(path))

    def test_none(self) -> None:
        """
        A file is no folder.
        """
        for path in ("/no/such", __file__):
            error = self.assertRaises(ValueError, folder, path)
            self.assertEqual(str(error), "there is no such folder")


class UserTests(SynchronousTestCase):
    """
    Tests of L{user}.
    """

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 0)

    def test_forms(self) -> None:
        """
        User and group are names or numbers.
        """
        root = user("root")
        self.assertEqual((root.number, root.group, root.name), (0, 0, "root"))
        self.assertEqual(user("0:0"), root)
        self.assertEqual(user("root:daemon"), root._replace(group=1))

    def test_unknown(self) -> None:
        """
        Both must exist.
        """
        for text, why in (
            ("no-such-user", "there is no such user"),
            ("", "there is no such user"),
            ("99999999999999999999", "there is no such user"),
            ("root:no-such-group", "there is no such group"),
        ):
            self.assertEqual(str(self.assertRaises(ValueError, user, text)), why)

    def test_notRoot(self) -> None:
        """
        Others than root can't choose a user.
        """
        self.patch(os, "geteuid", lambda: 1000)
        error = self.assertRaises(ValueError, user, "root")
        self.assertEqual(str(error), "only root can run an app as another user")


class SetprivTests(SynchronousTestCase):
    """
    Tests of L{setpriv}.
    """

    web = Place(user=User(7, 8, "web", "/srv"))

    def test_user(self) -> None:
        """
        A process becomes one of its user, with all of its groups.
        """
        self.assertEqual(
            setpriv(self.web, False)[1:], ["--reuid=7", "--regid=8", "--init-groups", "--"]
        )

    def test_notNeeded(self) -> None:
        """
        Most processes need no help.
        """
        self.assertEqual(setpriv(Place(), False), [])

    def test_missing(self) -> None:
        """
        Where it is not installed, no app runs as the wrong user.
        """
        place._findSetpriv.cache_clear()
        self.addCleanup(place._findSetpriv.cache_clear)
        self.patch(os, "environ", {**os.environ, "PATH": "/no/such"})
        self.assertEqual(setpriv(Place(), True), [])
        error = self.assertRaises(SpawnFailed, setpriv, self.web, True)
        self.assertIn("setpriv of util-linux is needed", str(error))


class SignalTests(SynchronousTestCase):
    """
    Tests of L{signalNumber} and L{signalName}.
    """

    def test_forms(self) -> None:
        """
        A signal is a name with or without C{SIG}, or a number.
        """
        for text in ("INT", "SIGINT", "int", "2"):
            self.assertEqual(signalNumber(text), signal.SIGINT)
            self.assertIn(signalText(text), ("INT", "2"))
        for text in ("", "SIG", "NONE", "0", "99", "-2"):
            self.assertRaises(ValueError, signalNumber, text)

    def test_names(self) -> None:
        """
        A number is written as its name, if it has one.
        """
        self.assertEqual(signalName(15), "SIGTERM")
        self.assertEqual(signalName(40), "signal 40")
