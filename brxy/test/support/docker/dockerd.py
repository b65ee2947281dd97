"""
A Docker daemon for tests: with folders, a bridge and a process namespace of
its own, so that it affects no other daemon and no part of it outlives the
tests.

All its processes, with its containers, are in a process namespace: when the
first of them ends, the kernel ends them all. A janitor process beside it does
that and cleans up as soon as a pipe to the tests is closed: when they are
over, and also when they are killed.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import brxy
from brxy.test.support.processes.netlinks import addBridge, subnet

__all__ = ["MISSING", "MOUNTS", "NODE", "WEB", "Dockerd", "theDockerd", "until"]

#: An image with busybox in it, whose httpd serves C{/www}.
WEB = "web:1"

#: An empty image, for mounted folders.
NODE = "node:1"

_ROOT = Path(brxy.__file__).parents[1]

#: The mounts of a container that runs our own Python: this machine's folders, and brxy.
MOUNTS = ",".join(
    f"{path}:{path}:ro"
    for path in ("/usr", "/bin", "/lib", "/lib64", str(_ROOT))
    if os.path.exists(path)
)

# The requirements, and how to install each.
_NEEDED = {
    "dockerd": "docker.io",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "unshare": "util-linux",
}

# Waits until the pipe is closed. Then it ends the namespace, and removes what outlives
# processes.
_JANITOR = """
cat > /dev/null
kill -KILL "$1" 2> /dev/null
while kill -0 "$2" 2> /dev/null; do sleep 0.05; done
for link in "$3" "$3g" "$3n"; do ip link delete "$link" 2> /dev/null; done
find /sys/fs/cgroup -depth -type d -path "*/$3/*" -exec rmdir {} + 2> /dev/null
find /sys/fs/cgroup -depth -type d -name "$3" -exec rmdir {} + 2> /dev/null
rm -rf --one-file-system "$4"
"""

# The bridge that every daemon in a swarm has for containers in an overlay network.
_GATEWAY = "docker_gwbridge"

# Seconds within which the daemon must answer, or end.
_LIMIT = 30.0


def _missing() -> str:
    """
    @return: why no daemon can be started; C{""} if one can.
    """
    if os.geteuid() != 0:
        return "needs root, for dockerd"
    packages = [package for name, package in _NEEDED.items() if shutil.which(name) is None]
    return f"needs {', '.join(_NEEDED)}: apt install {' '.join(packages)}" if packages else ""


MISSING = _missing()


def until(condition: Any, what: str) -> None:
    """
    Wait for the daemon. Nothing else runs meanwhile.
    """
    give_up = time.monotonic() + _LIMIT
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"{what}: not within {_LIMIT:g} s")
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(each) for each in text.split()]


class Dockerd:
    """
    A Docker daemon.

    @cvar walls: the namespaces of its own, as options of C{unshare} and
        C{nsenter}.
    @ivar host: its C{DOCKER_HOST}.
    @ivar link: its network device on this machine, and the name of its cgroup.
    """

    walls: tuple[str, ...] = ("--mount", "--pid")

    def __init__(self, suffix: str = "") -> None:
        """
        @param suffix: a letter that distinguishes it from other daemons of the
            same tests.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-dockerd-"))
        self.host = f"unix://{self.folder}/socket"
        self.link = f"brxy{os.getpid()}{suffix}"
        self._namespace = subprocess.Popen(
            ["unshare", *self.walls, "--fork", "--kill-child", "--mount-proc"]
            + ["docker-init", "--", "sleep", "infinity"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: _children(self._namespace.pid), "a process namespace")
        [self.first] = _children(self._namespace.pid)
        self._janitor = subprocess.Popen(
            ["sh", "-c", _JANITOR, "sh", str(self._namespace.pid), str(self.first)]
            + [self.link, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._daemon: subprocess.Popen[bytes] | None = None
        until(lambda: _children(self.first), "the first process")
        self.plug()

    def plug(self) -> None:
        """
        Connect it to its network.
        """
        addBridge(self.link, f"{subnet(213)}.1/24")

    def start(self, live_restore: bool = False) -> None:
        """
        Start the daemon, and wait until it answers.

        @param live_restore: containers keep running when the daemon is
            stopped.
        """
        config = self.folder / "config"
        config.write_text(json.dumps({**self.settings(), "live-restore": live_restore}))
        with (self.folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self.within(), "dockerd", "--config-file", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "dockerd")

    def within(self) -> list[str]:
        """
        @return: the command that runs this command in the daemon's namespaces.
        """
        return ["nsenter", "--target", str(self.first), *self.walls, "--"]

    def settings(self) -> dict[str, object]:
        """
        @return: the daemon's configuration.
        """
        return {
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "pid"),
            "hosts": [self.host],
            "bridge": self.link,
            "iptables": False,
            "ip-forward": False,
            "ip-masq": False,
            "cgroup-parent": f"/{self.link}",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        }

    def _answers(self) -> bool:
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            log = (self.folder / "log").read_text()
            raise AssertionError(f"dockerd ended:\n{log[-3000:]}")
        return self.docker("version", check=False).returncode == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        """
        Stop the daemon alone, and wait until it has ended.
        """
        assert self._daemon is not None
        for pid in _children(self._daemon.pid):
            os.kill(pid, number)
        self._daemon.wait(_LIMIT)

    @property
    def stopped(self) -> bool:
        """
        Whether the daemon does not run.
        """
        return self._daemon is None or self._daemon.poll() is not None

    def restart(self, live_restore: bool = False) -> None:
        """
        Restart the daemon; see L{start}. Containers of a swarm don't survive
        that.
        """
        if live_restore:
            self.docker("swarm", "leave", "--force", check=False)
        if not self.stopped:
            self.stop()
        self.start(live_restore)

    def joinSwarm(self) -> None:
        """
        Make the daemon a swarm of one node.
        """
        if self.docker("node", "ls", check=False).returncode:
            # The swarm's ports are fixed, so each daemon has an address of its own.
            pid = os.getpid()
            here = f"127.{1 + pid // 62500 % 250}.{pid // 250 % 250}.{1 + pid % 250}"
            self._makeGateway()
            self.docker("swarm", "init", "--advertise-addr", here, "--listen-addr", here)

    def _makeGateway(self) -> None:
        """
        Make the bridge that the daemon would make itself, with a name that
        shows whose it is, so that it can be removed.
        """
        if self.docker("network", "inspect", _GATEWAY, check=False).returncode:
            name = f"com.docker.network.bridge.name={self.link}g"
            alone = "com.docker.network.bridge.enable_icc=false"
            options = ("--opt", name, "--opt", alone, "--subnet", f"{subnet(133)}.0/24")
            self.docker("network", "create", *options, _GATEWAY)

    def leaveSwarm(self) -> None:
        """
        Leave the swarm.
        """
        self.docker("swarm", "leave", "--force")

    def docker(
        self, *arguments: str, check: bool = True, stdin: Any = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        """
        Run C{docker} and wait for it.
        """
        return subprocess.run(
            ["docker", "--host", self.host, *arguments],
            check=check,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
        )

    def makeImages(self) -> None:
        """
        Make the images L{WEB} and L{NODE}, without any registry.
        """
        busybox = shutil.which("busybox")
        assert busybox is not None
        web, node = self.folder / "web", self.folder / "node"
        for name in ("bin", "www", "tmp"):
            (web / name).mkdir(parents=True)
        shutil.copy(busybox, web / "bin")
        for name in ("sh", "httpd", "sleep", "cat", "env", "head", "tail"):
            (web / "bin" / name).symlink_to("busybox")
        (web / "www" / "index.html").write_text("hello\n")
        (node / "tmp").mkdir(parents=True)
        for image, root in ((WEB, web), (NODE, node)):
            tar = subprocess.run(["tar", "-C", str(root), "-c", "."], stdout=-1, check=True)
            with tempfile.TemporaryFile() as file:
                file.write(tar.stdout)
                file.seek(0)
                self.docker("import", "-", image, stdin=file)

    def end(self) -> None:
        """
        End everything, and wait until nothing is left.
        """
        assert self._janitor.stdin is not None
        self._janitor.stdin.close()
        self._janitor.wait(_LIMIT)
        for process in (self._namespace, self._daemon):
            if process is not None:
                process.wait(_LIMIT)


_dockerd: list[Dockerd] = []


def theDockerd() -> Dockerd:
    """
    @return: the daemon that all tests share. The first test starts it, and it
        ends with this process.
    """
    if not _dockerd:
        dockerd = Dockerd()
        _dockerd.append(dockerd)
        atexit.register(dockerd.end)
        dockerd.start()
        dockerd.makeImages()
    return _dockerd[0]
