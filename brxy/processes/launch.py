"""
Starting a process on Linux, fast and without Twisted.

C{reactor.spawnProcess} is not used: it closes every possible descriptor one by
one, which takes 13 to 50 ms once an edge has 5,000 open.  Python's own
descriptors are close-on-exec already, so C{posix_spawn} needs no such loop.

The C library's is called by C{ctypes}, for it lets Python's other threads run
meanwhile, and C{os.posix_spawn} does not: whoever calls it sleeps until the
kernel has let the new process run, which on a busy machine takes it 5 to 20 ms.

This module imports no more than it needs: a node starts its app by it before
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

__all__ = ["Launch", "Launched", "launch", "signalGroup"]

# Python ignores some of these, and whoever started us may have ignored others;
# being ignored is inherited through exec, being handled is not.
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

# Larger than any of the structures of <spawn.h> and <signal.h>: 336 bytes are
# the most.
_STRUCTURE = 1024

_libc = ctypes.CDLL(None)


class Launched(NamedTuple):
    """
    A process that runs, leader of its own session and process group.

    @ivar pidfd: becomes readable when the process ends.
    @ivar stdout: the reading end of its standard output.
    @ivar stderr: the reading end of its standard error.
    """

    pid: int
    pidfd: int
    stdout: int
    stderr: int


class Launch:
    """
    A process that is to be started, with no descriptor of ours but its two
    outputs, and its input if it is given one.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        die_with_parent: bool,
        stdin: int | None = None,
    ) -> None:
        """
        @param die_with_parent: have the kernel send it SIGTERM when this
            process ends in whatever way.
        @param stdin: what becomes its input; L{perform} closes it, come what
            may.  L{None}: C{/dev/null}.
        @raise SpawnFailed: with one line that names the program and says why.
        """
        if not argv:
            raise SpawnFailed("cannot run an empty command")
        self._name = argv[0]
        self._stdin = stdin
        command = [_executable(argv[0], environment), *argv[1:]]
        if die_with_parent:
            command = [*_dyingWithParent(), *command]
        try:
            self._path = os.fsencode(command[0])
            self._arguments = _strings(command)
            self._environment = _strings(_assignments(environment))
        except ValueError as error:
            raise self._failed(str(error)) from error

    def perform(self) -> Launched:
        """
        Start it.  This blocks until the kernel has let it run, but no other
        thread.

        What is to die with its parent dies with the thread that calls this.

        @raise SpawnFailed: as above.
        """
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for _ in ("stdout", "stderr"):
                reading, writing = os.pipe()
                ours.append(reading)
                theirs.append(writing)
            pid = self._spawn(*theirs)
            return Launched(pid, _watch(pid), *ours)
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
        @return: the new process's id, which is its group's and session's id too.
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
            for descriptor in _INHERITED:
                _check(_libc.posix_spawn_file_actions_addclose(actions, descriptor))
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


def launch(argv: Sequence[str], environment: Mapping[str, str], die_with_parent: bool) -> Launched:
    """
    Start a process, see L{Launch}.

    @raise SpawnFailed: with one line that names the program and says why.
    """
    return Launch(argv, environment, die_with_parent).perform()


def signalGroup(group: int, number: int) -> None:
    """
    Send a signal to every process of a group, if there is one left.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _executable(name: str, environment: Mapping[str, str]) -> str:
    """
    The file that C{name} means on the PATH of C{environment}.

    It is looked up here so that the message is ours, not that of whatever
    program stands between us and the command.
    """
    found = shutil.which(name, path=environment.get("PATH", os.defpath))
    if found is not None:
        return found
    if not os.path.dirname(name):
        reason = "no such executable on PATH"
    elif os.path.exists(name):
        reason = "it is not an executable file"
    else:
        reason = "no such file"
    raise SpawnFailed(f"cannot run {name!r}: {reason}")


@cache
def _dyingWithParent() -> tuple[str, ...]:
    """
    What to put before a command so that the kernel ends it with its parent.

    Between fork and C{setpriv}'s system call lies a millisecond in which the
    parent's end goes unnoticed.  A shell in between could look once more, but
    C{dash} drops variables such as C{foo.bar} from the environment.
    """
    setpriv = shutil.which("setpriv")
    # Busybox has an applet of the name that knows nothing of --pdeathsig.
    if setpriv is None or os.path.basename(os.path.realpath(setpriv)) != "setpriv":
        # Loaded only to be told of this, see the top.
        from twisted.logger import Logger

        Logger(__name__).warn("no util-linux setpriv: an app will outlive us if we are killed")
        return ()
    return (setpriv, "--pdeathsig", "TERM", "--")


def _assignments(environment: Mapping[str, str]) -> list[str]:
    """
    An environment as C has it.

    @raise ValueError: a variable can't have that name.
    """
    if any(not name or "=" in name for name in environment):
        raise ValueError("illegal environment variable name")
    return [f"{name}={value}" for name, value in environment.items()]


def _strings(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    """
    Texts as C has them: an array that NULL ends.

    @raise ValueError: C has no such text.
    """
    encoded = os.fsencode("".join(f"{text}\0" for text in texts)).split(b"\0")[:-1]
    if len(encoded) != len(texts):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _inherited() -> list[int]:
    """
    What we inherited ourselves: Python made none of these, so they are not
    close-on-exec.
    """
    inheritable = []
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        # One of them was open for the listing only.
        with suppress(OSError):
            if descriptor > 2 and os.get_inheritable(descriptor):
                inheritable.append(descriptor)
    return inheritable


# Looked up before there are connections: for 5,000 of them it takes 25 ms.
_INHERITED = _inherited()


@cache
def _attributes() -> ctypes.Array[ctypes.c_char]:
    """
    A C{posix_spawnattr_t}: a session of its own, and signals as they are by
    default.
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
    What the functions of <spawn.h> return.

    @raise OSError: it was an error.
    """
    if code:
        raise OSError(code, os.strerror(code))


def _watch(pid: int) -> int:
    """
    A descriptor of a child that becomes readable at its end.

    @raise OSError: there is none to be had, and the child is gone again.
    """
    try:
        return os.pidfd_open(pid)
    except OSError:
        signalGroup(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
