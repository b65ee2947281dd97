"""
Sockets in the network namespaces of other processes, such as a container's.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import Future
from threading import Thread

from brxy.errors import Unseen
from brxy.uptake.sockdiag import SockDiag, openDiag, unseen

__all__ = ["diagIn"]

# <sched.h>
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def diagIn(pid: int, host: str) -> SockDiag:
    """
    Open a L{SockDiag} for the network namespace of a process.  One that is not our own can be
    entered only with CAP_SYS_ADMIN, and with CAP_SYS_PTRACE if the process is another user's.

    @param host: the address of the app, as it is dialled.  The namespace must have it: what
        gave the number of the process may run on another machine, or in another process
        namespace, where that is another process.
    @raise Unseen: there is no such process, its namespace can't be entered or has not the
        address, or see L{openDiag}.
    """
    try:
        theirs = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            is_ours = os.path.samestat(os.fstat(theirs), os.stat("/proc/thread-self/ns/net"))
            found = _check(pid, host) if is_ours else _enter(theirs, pid, host)
        finally:
            os.close(theirs)
    except FileNotFoundError:
        raise Unseen(f"there is no process {pid} on this machine") from None
    except OSError as error:
        raise Unseen(f"the network namespace of process {pid}: {error.strerror}") from None
    return found


def _check(pid: int, host: str) -> SockDiag:
    if unseen(host):
        raise Unseen(f"{host} is not an address in the network namespace of process {pid}")
    return openDiag()


def _enter(namespace: int, pid: int, host: str) -> SockDiag:
    """
    Check an address in another network namespace, and open a L{SockDiag} there.

    @param namespace: a descriptor of it.
    @raise OSError: it can't be entered.
    """
    made: Future[SockDiag] = Future()

    def inside() -> None:
        try:
            if _libc.setns(namespace, _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            made.set_result(_check(pid, host))
        except Exception as error:
            made.set_exception(error)

    # A namespace is a thread's own: no other one is ever in it.
    thread = Thread(target=inside, name="brxy namespace", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise Unseen("no thread can be started") from None
    thread.join()
    return made.result()
