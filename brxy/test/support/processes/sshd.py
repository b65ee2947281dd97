"""
An sshd of a test's own on loopback, and a client's configuration for it.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import brxy
from brxy.processes.ports import PORTS
from brxy.test.support.loopback.leftovers import DIES_WITH_US, isAlive
from brxy.test.support.processes.programs import ProgramTests, isListenedAt

__all__ = ["MISSING", "SSHD", "SshTests", "Sshd"]

#: sshd must be started by its whole path.
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""

#: Why tests with an sshd are skipped; L{None}: they are not.
MISSING = (
    None
    if SSHD and shutil.which("ssh")
    else "needs OpenSSH's server and client: apt install openssh-server openssh-client"
)

# Seconds to wait for things that take some milliseconds.
_PATIENCE = 10.0

_ROOT = Path(brxy.__file__).parents[1]

_SERVER = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PidFile none
PrintMotd no
SetEnv {environment}
"""

_CLIENT = """\
Host web1 web2 web3
    HostName {address}
    Port {port}
    User {user}
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


def _makeKey(path: Path) -> str:
    """
    @return: the public key, in the form of C{known_hosts}.
    """
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def _holds(pid: int) -> bool:
    """
    @return: whether a process is the one that makes and removes a folder on
        the remote side.
    """
    try:
        return b"read -r folder && " in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


class Sshd:
    """
    One sshd; C{web1}, C{web2} and C{web3} of its client's configuration are
    all this one.

    @ivar folder: its own, with the file of the client's C{known_hosts}, the
        keys C{host_key} and C{user_key}, and their public parts.
    @ivar config: the client's configuration.
    @ivar address: where it listens.
    @ivar port: at which port.
    """

    def __init__(
        self,
        folder: Path,
        mark: str,
        name: str = "sshd",
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        """
        @param folder: where to make a folder of its own.
        @param mark: C{NAME=value}, in the environment of all processes there.
        @param name: of that folder.
        @param within: the prefix of commands that run on the machine with the
            address.
        """
        self.folder = folder / name
        self.folder.mkdir()
        self.address = address
        self.port = PORTS.take()
        self._within = within
        self.config = str(self.folder / "config")
        self._process: subprocess.Popen[bytes] | None = None
        host_key = _makeKey(self.folder / "host_key")
        (self.folder / "known_hosts").write_text(f"[{address}]:{self.port} {host_key}\n")
        _makeKey(self.folder / "user_key")
        # The user's own shell configuration must have no effect.
        home = self.folder / "home"
        home.mkdir()
        environment = f"{mark} HOME={home} PYTHONPATH={_ROOT}"
        self._write("sshd_config", _SERVER, environment=environment)
        self._write("config", _CLIENT, user=getpass.getuser())

    def _write(self, name: str, text: str, **values: str) -> None:
        where = {"address": self.address, "port": self.port}
        text = text.format(folder=self.folder, **where, **values)
        (self.folder / name).write_text(text)

    def start(self) -> None:
        """
        Start sshd, or start it again after it was killed.
        """
        if os.geteuid() == 0:
            # On Debian the service's unit makes this folder.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [*DIES_WITH_US, *self._within, SSHD, "-D", "-e", "-f", f"{self.folder}/sshd_config"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until(self._listens, "sshd does not start")

    def _listens(self) -> bool:
        # This makes no connection, whose session might still exist when the test counts them.
        assert self._process is not None
        with suppress(OSError):
            return isListenedAt(f"tcp:{self.address}:{self.port}", self._process.pid)
        return False

    def sessions(self) -> list[int]:
        """
        @return: the processes that serve its connections.
        """
        assert self._process is not None
        return [pid for pid in _children(self._process.pid) if isAlive(pid)]

    def stopListening(self) -> list[int]:
        """
        Kill sshd; its connections stay open.

        @return: the processes that serve these.
        """
        assert self._process is not None
        sessions = self.sessions()
        self._process.kill()
        self._process.wait()
        self._process = None
        return sessions

    def kill(self) -> None:
        """
        Kill sshd with its connections, if it runs.
        """
        if self._process is not None:
            for pid in self.stopListening():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class SshTests(ProgramTests):
    """
    Base of tests with an sshd.

    @ivar sshd: is not started yet.
    """

    if MISSING is not None:
        skip = MISSING

    def setUp(self) -> None:
        super().setUp()
        self.sshd = Sshd(self.folder, self.mark)
        # This comes before all other remote processes are killed, so that the process which
        # holds a folder notices that, and removes the folder.
        self.addCleanup(self._endSshd)

    async def _endSshd(self) -> None:
        self.sshd.kill()
        await self.until(lambda: not any(map(_holds, self.running())))

    def spec(self, *command: str, host: str = "web1", **options: str) -> str:
        """
        @return: a C{--spawn} for this sshd.
        """
        given = {"host": host, "config": self.sshd.config, **options}
        keys = " ".join(f"{key.replace('_', '-')}={value}" for key, value in given.items())
        return f"ssh: {keys} -- {shlex.join(command)}"
