"""
An sshd of a test's own, on loopback, and a client's configuration for it.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import brxy
from brxy.ports import PORTS
from brxy.spawners.sshremote import HOLD
from brxy.test.programs import Program, ProgramTests

__all__ = ["SSHD", "Sshd", "SshTests"]

#: It wants to be started by its whole path.
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""

_ROOT = Path(brxy.__file__).parents[1]

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
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
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


def _makeKey(path: Path) -> str:
    """
    @return: the public part, as C{known_hosts} has it.
    """
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _holds(pid: int) -> bool:
    try:
        return HOLD.encode()[len("exec sh -c '") : -1] in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


class Sshd:
    """
    One sshd; C{web1}, C{web2} and C{web3} of its client's configuration are
    all this one.

    @ivar config: that configuration.
    """

    def __init__(self, tests: ProgramTests, mark: str) -> None:
        """
        @param mark: what all that runs there has in its environment.
        """
        self._tests = tests
        self._folder = tests.folder / "sshd"
        self._folder.mkdir()
        self.port = PORTS.take()
        self.config = str(self._folder / "config")
        self._program: Program | None = None
        self.known_hosts = self._folder / "known_hosts"
        host_key = _makeKey(self._folder / "host_key")
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        _makeKey(self._folder / "user_key")
        # Nothing of the user's own shell is to be met.
        home = self._folder / "home"
        home.mkdir()
        environment = f"{mark} HOME={home} PYTHONPATH={_ROOT}"
        self._write("sshd_config", _SERVER, environment=environment)
        self._write("config", _CLIENT, user=getpass.getuser())

    def _write(self, name: str, text: str, **values: str) -> None:
        text = text.format(folder=self._folder, port=self.port, **values)
        (self._folder / name).write_text(text)

    async def start(self) -> None:
        """
        Start it, again if it was killed.
        """
        if os.geteuid() == 0:
            # Debian's package has it made at boot.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self._program = self._tests.start(SSHD, "-D", "-e", "-f", f"{self._folder}/sshd_config")
        # It writes its title over its environment, so the mark is not seen there.
        self._tests.addCleanup(self._end)
        await self._tests.listening(f"tcp:127.0.0.1:{self.port}")

    async def _end(self) -> None:
        if self._program is not None:
            await self.kill()
        # What holds a folder over there removes it now, before it is killed.
        await self._tests.until(lambda: not any(map(_holds, self._tests.running())))

    def sessions(self) -> list[int]:
        """
        @return: the processes that serve its connections.
        """
        assert self._program is not None
        return _children(self._program.pid)

    async def stopListening(self) -> list[int]:
        """
        Kill it; its connections live on.

        @return: the processes that serve these.
        """
        assert self._program is not None
        sessions = self.sessions()
        self._program.signal(signal.SIGKILL)
        await self._tests.ended(self._program)
        self._program = None
        return sessions

    async def kill(self) -> None:
        """
        Kill it with its connections.
        """
        for pid in await self.stopListening():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await self._tests.gone(pid)


class SshTests(ProgramTests):
    """
    Base of tests with an sshd.

    @ivar sshd: to be started.
    """

    if not SSHD or shutil.which("ssh") is None:
        skip = "needs OpenSSH's server and client: apt install openssh-server openssh-client"

    def setUp(self) -> None:
        super().setUp()
        self.sshd = Sshd(self, self.mark)

    def spec(self, *command: str, host: str = "web1", **options: str) -> str:
        """
        @return: a C{--spawn} for this sshd.
        """
        given = {"host": host, "config": self.sshd.config, **options}
        keys = " ".join(f"{key.replace('_', '-')}={value}" for key, value in given.items())
        return f"ssh: {keys} -- {shlex.join(command)}"
