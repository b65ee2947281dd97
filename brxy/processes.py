"""
What Linux offers to start a process fast, to notice its end, and to reach the
whole group it leads.

C{reactor.spawnProcess} is not used: it closes every possible descriptor one by
one, which takes 13 to 50 ms once an edge has 5,000 open.  Python's own
descriptors are close-on-exec already, so C{posix_spawn} needs no such loop.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from brxy.descriptor import Reader
from brxy.errors import SpawnFailed

__all__ = ["ExitReader", "Launched", "groupMembers", "launch", "signalGroup"]

_log = Logger()

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


@frozen
class Launched:
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


def launch(argv: Sequence[str], environment: Mapping[str, str], die_with_parent: bool) -> Launched:
    """
    Start a process with C{/dev/null} as its input and no descriptor of ours
    but its two outputs.

    @param die_with_parent: have the kernel send it SIGTERM when this process
        ends in whatever way.  That is tied to the calling thread: call it from
        the main thread, or it ends with the thread.
    @raise SpawnFailed: with one line that names the program and says why.
    """
    if not argv:
        raise SpawnFailed("cannot run an empty command")
    command = [_executable(argv[0], environment), *argv[1:]]
    if die_with_parent:
        command = [*_dyingWithParent(), *command]
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for _ in ("stdout", "stderr"):
            reading, writing = os.pipe()
            ours.append(reading)
            theirs.append(writing)
        pid = _spawn(command, environment, *theirs)
        return Launched(pid, _watch(pid), *ours)
    except (OSError, ValueError) as error:
        for descriptor in ours:
            os.close(descriptor)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpawnFailed(f"cannot run {argv[0]!r}: {reason}") from error
    finally:
        for descriptor in theirs:
            os.close(descriptor)


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
        _log.warn("no util-linux setpriv: an app will outlive us if we are killed")
        return ()
    return (setpriv, "--pdeathsig", "TERM", "--")


@cache
def _inherited() -> tuple[tuple[int, int], ...]:
    """
    File actions that close what we inherited ourselves: Python made none of
    these, so they are not close-on-exec.
    """
    inheritable = []
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        # One of them was open for the listing only.
        with suppress(OSError):
            if descriptor > 2 and os.get_inheritable(descriptor):
                inheritable.append((os.POSIX_SPAWN_CLOSE, descriptor))
    return tuple(inheritable)


def _spawn(command: list[str], environment: Mapping[str, str], stdout: int, stderr: int) -> int:
    """
    @return: the new process's id, which is its group's and session's id too.
    """
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
            *_inherited(),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


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


def signalGroup(group: int, number: int) -> None:
    """
    Send a signal to every process of a group, if there is one left.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def groupMembers(group: int) -> list[int]:
    """
    The processes of a group whose leader we have reaped; none for a group
    that only has the same number: as long as one is left of the old group, the
    kernel gives no new process its leader's number.

    Zombies don't count: orphans wait for process 1 to reap them, which may
    take it seconds, or for ever in a container.  When we are process 1
    ourselves, they are reaped here.
    """
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    except PermissionError:
        pass
    members = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    members = [pid for pid in members if _livesIn(pid, group)]
    return [] if group in members else members


def _livesIn(pid: int, group: int) -> bool:
    """
    Is this process in the group, and no zombie?  See proc(5), C{/proc/pid/stat}.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name before the last parenthesis may hold anything.
            state, _, its_group, *_ = stat.read().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in (b"Z", b"X")


class ExitReader(Reader):
    """
    Notices the end of a child, and reaps it.
    """

    _log = Logger()

    def __init__(self, reactor: Any, pid: int, pidfd: int, ended: Callable[[int], None]):
        """
        @param ended: called once with the exit status, or with the negative
            number of the signal that killed it.
        """
        super().__init__(reactor)
        self._pid = pid
        self._pidfd = pidfd
        self._ended = ended

    def fileno(self) -> int:
        """
        See L{IReadDescriptor}.
        """
        return self._pidfd

    def doRead(self) -> None:
        """
        The child has ended: reap it, and tell.
        """
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            self._log.warn("someone else reaped process {pid}", pid=self._pid)
            pid, status = self._pid, 255 << 8
        if pid:
            self._reactor.removeReader(self)
            os.close(self._pidfd)
            self._pidfd = -1
            self._ended(os.waitstatus_to_exitcode(status))
