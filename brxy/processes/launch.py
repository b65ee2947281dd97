"""
Starting a process on Linux, fast and without Twisted.

C{reactor.spawnProcess} is not used: it closes every possible descriptor one by
one, which takes 13 to 50 ms once an edge has 5,000 open.  Python's own
descriptors are close-on-exec already, so C{posix_spawn} needs no such loop.

The function of the C library is called through C{ctypes}, which lets Python's other
threads run meanwhile; C{os.posix_spawn} does not.  The caller sleeps until the kernel has
let the new process run, which takes 5 to 20 ms on a busy machine.

This module imports no more than it needs, because a node starts its app with it before
it loads anything else.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from brxy.errors import SpawnFailed
from brxy.processes.cgroups import Cgroup, newCgroup
from brxy.processes.marks import MARKS
from brxy.processes.place import HERE, Place, setpriv

__all__ = ["Launch", "Launched", "findExecutable", "launch", "signalGroup"]

# Python ignores some of these signals, and the parent of this process may have ignored
# others.  A new process inherits which signals are ignored, not which are handled.
_DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGPIPE,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGXFSZ,
)

# <spawn.h>, of glibc and of musl.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80

# Bytes; the largest structure of <spawn.h> and <signal.h> has 336.
_STRUCTURE = 1024

_libc = ctypes.CDLL(None)


class Launched(NamedTuple):
    """
    A process that runs, the leader of its own session and process group.

    @ivar pidfd: becomes readable when the process ends.
    @ivar stdout: the reading end of its standard output.
    @ivar stderr: the reading end of its standard error.
    @ivar mark: what its descendants are known by, see L{brxy.processes.marks}; 0 if they
        may outlive this process.
    @ivar cgroup: what they are in; L{None} likewise, or without such groups.
    """

    pid: int
    pidfd: int
    stdout: int
    stderr: int
    mark: int = 0
    cgroup: Cgroup | None = None


class Launch:
    """
    A process to start.  It inherits no descriptor but its two outputs, and its input if
    it is given one.

    @param die_with_parent: have the kernel send it SIGTERM when this process ends in any
        way.
    @param stdin: what becomes its input; L{perform} closes it in any case.  L{None}:
        C{/dev/null}.
    @param place: where and as which user it runs.
    @raise SpawnFailed: with one line that names the program and the reason.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        die_with_parent: bool,
        stdin: int | None = None,
        place: Place = HERE,
    ) -> None:
        if not argv:
            raise SpawnFailed("cannot run an empty command")
        self._name = argv[0]
        self._die_with_parent = die_with_parent
        self._stdin = stdin
        self._folder = None if place.folder is None else os.fsencode(place.folder)
        command = [findExecutable(argv[0], environment, place), *argv[1:]]
        command = [*setpriv(place, die_with_parent), *command]
        try:
            self._path = os.fsencode(command[0])
            self._arguments = _strings(command)
            self._environment = _strings(_assignments(environment))
        except ValueError as error:
            raise self._failed(str(error)) from error

    def perform(self) -> Launched:
        """
        Start the process.  This blocks until the kernel has let it run; other threads go
        on.

        A process that is to die with its parent dies with the thread that calls this.

        @raise SpawnFailed: as for the class.
        """
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for _ in ("stdout", "stderr"):
                reading, writing = os.pipe()
                ours.append(reading)
                theirs.append(writing)
            with MARKS.give() as mark:
                pid = self._spawn(*theirs)
                MARKS.leads(pid)
            pidfd = _watch(pid)
            stdout, stderr = ours
            if not self._die_with_parent:
                return Launched(pid, pidfd, stdout, stderr)
            return Launched(pid, pidfd, stdout, stderr, mark, newCgroup(pid, mark))
        except OSError as error:
            for descriptor in ours:
                os.close(descriptor)
            raise self._failed(str(error.strerror)) from error
        finally:
            if self._stdin is not None:
                theirs.append(self._stdin)
            for descriptor in theirs:
                os.close(descriptor)

    def _spawn(self, stdout: int, stderr: int) -> int:
        """
        @return: the id of the new process, which is that of its group and session too.
        """
        pid = ctypes.c_int()
        actions = ctypes.create_string_buffer(_STRUCTURE)
        _check(_libc.posix_spawn_file_actions_init(actions))
        try:
            if self._stdin is None:
                null = os.fsencode(os.devnull)
                _check(_libc.posix_spawn_file_actions_addopen(actions, 0, null, os.O_RDONLY, 0))
            else:
                _check(_libc.posix_spawn_file_actions_adddup2(actions, self._stdin, 0))
            _check(_libc.posix_spawn_file_actions_adddup2(actions, stdout, 1))
            _check(_libc.posix_spawn_file_actions_adddup2(actions, stderr, 2))
            if self._folder is not None:
                _check(_libc.posix_spawn_file_actions_addchdir_np(actions, self._folder))
            _check(
                _libc.posix_spawn(
                    ctypes.byref(pid),
                    self._path,
                    actions,
                    _attributes(),
                    self._arguments,
                    self._environment,
                )
            )
        finally:
            _libc.posix_spawn_file_actions_destroy(actions)
        return pid.value

    def _failed(self, reason: str) -> SpawnFailed:
        return SpawnFailed(f"cannot run {self._name!r}: {reason}")


def launch(
    argv: Sequence[str],
    environment: Mapping[str, str],
    die_with_parent: bool,
    place: Place = HERE,
) -> Launched:
    """
    Start a process, see L{Launch}.

    @raise SpawnFailed: with one line that names the program and the reason.
    """
    return Launch(argv, environment, die_with_parent, place=place).perform()


def signalGroup(group: int, number: int) -> None:
    """
    Send a signal to every process of a group, if any is left.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def findExecutable(name: str, environment: Mapping[str, str], place: Place) -> str:
    """
    Return the file that C{name} means on the PATH of C{environment}, and in the working
    directory of the process if it is a relative path.

    It is looked up here so that a missing program is reported by brxy, and not by the
    program that starts the command.

    @raise SpawnFailed: there is none.
    """
    relative = place.folder is not None and os.path.dirname(name)
    path = os.path.join(place.folder or "", name) if relative else name
    found = shutil.which(path, path=environment.get("PATH", os.defpath))
    if found is not None:
        return found
    if not os.path.dirname(name):
        reason = "no such executable on PATH"
    elif os.path.exists(path):
        reason = "it is not an executable file"
    else:
        reason = "no such file"
    raise SpawnFailed(f"cannot run {name!r}: {reason}")


def _assignments(environment: Mapping[str, str]) -> list[str]:
    """
    Write an environment in the form of C.

    @raise ValueError: a variable can't have such a name.
    """
    if any(not name or "=" in name for name in environment):
        raise ValueError("illegal environment variable name")
    return [f"{name}={value}" for name, value in environment.items()]


def _strings(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    """
    Write texts in the form of C: an array that NULL ends.

    @raise ValueError: a text has a null byte.
    """
    encoded = os.fsencode("".join(f"{text}\0" for text in texts)).split(b"\0")[:-1]
    if len(encoded) != len(texts):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _closeOnExec() -> None:
    """
    Have no child inherit the descriptors that this process has inherited, as those that
    Python makes.

    C{posix_spawn} could close them too, but refuses to close one above the limit of
    descriptors, which may be lower than when it was opened.
    """
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        # One of them was open for the listing only.
        with suppress(OSError):
            if descriptor > 2:
                os.set_inheritable(descriptor, False)


# Before there are connections; with 5,000 connections it takes 25 ms.
_closeOnExec()


@cache
def _attributes() -> ctypes.Array[ctypes.c_char]:
    """
    Make a C{posix_spawnattr_t}: a new session, and the default handling of signals.
    """
    attributes, blocked, default = (ctypes.create_string_buffer(_STRUCTURE) for _ in range(3))
    _check(_libc.posix_spawnattr_init(attributes))
    _check(
        _libc.posix_spawnattr_setflags(
            attributes, ctypes.c_short(_SETSID | _SETSIGMASK | _SETSIGDEF)
        )
    )
    _libc.sigemptyset(blocked)
    _check(_libc.posix_spawnattr_setsigmask(attributes, blocked))
    _libc.sigemptyset(default)
    for number in _DEFAULT_SIGNALS:
        _libc.sigaddset(default, number.value)
    _check(_libc.posix_spawnattr_setsigdefault(attributes, default))
    return attributes


def _check(code: int) -> None:
    """
    Check what a function of <spawn.h> returned.

    @raise OSError: the code is an error.
    """
    if code:
        raise OSError(code, os.strerror(code))


def _watch(pid: int) -> int:
    """
    Open a descriptor of a child that becomes readable when the child ends.

    @raise OSError: it can't be opened; the child was killed.
    """
    try:
        return os.pidfd_open(pid)
    except OSError:
        signalGroup(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        MARKS.reaped(pid)
        raise
