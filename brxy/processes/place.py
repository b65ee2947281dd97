"""
The folder and the user of a process.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from typing import NamedTuple

from brxy.errors import SpawnFailed

__all__ = ["HERE", "Place", "User", "folder", "setpriv", "user"]


class User(NamedTuple):
    """
    The user that a process runs as.

    @ivar group: the id of the primary group.
    """

    number: int
    group: int
    name: str
    home: str


class Place(NamedTuple):
    """
    The folder and the user of a process.

    @ivar folder: its working directory, an absolute path; L{None}: that of this process.
    @ivar user: L{None}: the user of this process.
    """

    folder: str | None = None
    user: User | None = None

    def environment(self) -> dict[str, str]:
        """
        @return: the variables that depend on the user.
        """
        if self.user is None:
            return {}
        return {"HOME": self.user.home, "USER": self.user.name, "LOGNAME": self.user.name}

    def prefix(self) -> list[str]:
        """
        @return: options for C{setpriv} that make a process one of the user.
        """
        if self.user is None:
            return []
        return [f"--reuid={self.user.number}", f"--regid={self.user.group}", "--init-groups"]


# That of this process.
HERE = Place()


def folder(path: str) -> str:
    """
    Convert the path of a folder.

    @return: the absolute path.
    @raise ValueError: there is no such folder.
    """
    if not os.path.isdir(path):
        raise ValueError("there is no such folder")
    return os.path.abspath(path)


def user(text: str) -> User:
    """
    Convert C{USER} or C{USER:GROUP}, each a name or a number.

    @raise ValueError: there is no such user or group, or this process may not start
        others as it.
    """
    # Not needed for most apps.
    import grp
    import pwd

    name, _, group = text.partition(":")
    try:
        found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise ValueError("there is no such user") from None
    number = found.pw_gid
    try:
        if group.isdecimal():
            number = grp.getgrgid(int(group)).gr_gid
        elif group:
            number = grp.getgrnam(group).gr_gid
    except (KeyError, OverflowError):
        raise ValueError("there is no such group") from None
    if os.geteuid():
        raise ValueError("only root can run an app as another user")
    return User(found.pw_uid, number, found.pw_name, found.pw_dir)


def setpriv(place: Place, die_with_parent: bool) -> list[str]:
    """
    Return what to put before a command to have it run as its user, and have the kernel end it with
    its parent.

    For a millisecond between fork and the system call of C{setpriv}, an end of the parent
    goes unnoticed.  A shell could check once more, but C{dash} drops variables such as
    C{foo.bar} from the environment.

    @raise SpawnFailed: it can't run as its user.
    """
    options = place.prefix()
    if not (options or die_with_parent):
        return []
    found = _findSetpriv()
    if options and found is None:
        raise SpawnFailed("to run an app as another user, setpriv of util-linux is needed")
    if die_with_parent:
        options += ["--pdeathsig", "TERM"]
    return [] if found is None else [found, *options, "--"]


@cache
def _findSetpriv() -> str | None:
    """
    Return the path of C{setpriv}, if it is there.
    """
    setpriv = shutil.which("setpriv")
    # Busybox has an applet of this name without --pdeathsig.
    if setpriv is None or os.path.basename(os.path.realpath(setpriv)) != "setpriv":
        # Imported here because a node starts its app before it loads anything else.
        from twisted.logger import Logger

        Logger(__name__).warn("no util-linux setpriv: apps go on when this process is killed")
        return None
    return setpriv
