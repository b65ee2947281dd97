"""
Tests of L{brxy.processes.family}: what an app starts ends with it, wherever it goes.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from unittest import skipUnless

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from brxy.processes.background import advice
from brxy.processes.child import Child, Ended
from brxy.test.support.loopback.leftovers import Output, RealTests, isAlive

_NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

_NGINX_CONF = """
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server { listen unix:nginx.sock; }
}
"""

#: Becomes a daemon by the book, with no environment, in a session of its own, and writes its id.
#: Then the first process does what is given.
DAEMON = """
import os, signal, sys, time
if os.fork():
    while not os.path.exists("pid"):
        time.sleep(0.001)
    sys.stdout.flush()
    {then}
    os._exit({status})
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 3)
os.execve(sys.executable, [sys.executable, "-c", '''
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (open("term", "w").close(), os._exit(0)))
with open("pid.part", "w") as pid:
    pid.write(str(os.getpid()))
os.rename("pid.part", "pid")
time.sleep(1000)
'''], {{}})
"""


class FamilyTests(RealTests):
    """
    A child whose descendants leave its group.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def child(self, *argv: str, die_with_parent: bool = True) -> Child:
        """
        Start a command in the folder.
        """
        self.output = Output()
        child = Child(
            self.reactor,
            ["env", "-C", str(self.folder), *argv],
            os.environ,
            self.output,
            die_with_parent=die_with_parent,
            leave_on_success=not die_with_parent,
        )
        child.start()
        self.addCleanup(self._clean, child)
        return child

    def daemon(self, then: str = "", status: int = 0, die_with_parent: bool = True) -> Child:
        """
        Start L{DAEMON}.
        """
        script = DAEMON.format(then=then, status=status)
        return self.child(sys.executable, "-c", script, die_with_parent=die_with_parent)

    def pid(self, name: str = "pid") -> int:
        """
        @return: the id that a daemon has written.
        """
        return int((self.folder / name).read_text())

    def _clean(self, child: Child) -> Deferred[None]:
        child.kill()
        if (self.folder / "pid").exists() and isAlive(self.pid()):
            os.kill(self.pid(), signal.SIGKILL)
        return child.emptied

    async def test_daemon(self) -> None:
        """
        A daemon is found in its own session and without an environment, and ends with the
        process that was started.
        """
        child = self.daemon()
        ended = await child.ended
        self.assertFalse(isAlive(self.pid()))
        self.assertEqual((ended.status, child.left), (0, False))
        self.assertRegex(
            ended.describe(),
            r"^exit status 0, but python\S* went on in the background; start it in the "
            "foreground; most programs have an option for that$",
        )

    async def test_failed(self) -> None:
        """
        A process that failed, or was killed, leaves no daemon either.
        """
        for then, status, expected in (
            ("", 3, "exit status 3"),
            ("os.kill(os.getpid(), 9)", 0, "killed by SIGKILL"),
        ):
            ended = await self.daemon(then, status).ended
            self.assertFalse(isAlive(self.pid()))
            self.assertEqual(ended.describe(), expected)
            (self.folder / "pid").unlink()

    async def test_stopped(self) -> None:
        """
        When a child is stopped, a daemon gets SIGTERM once its leader has ended.
        """
        child = self.daemon("print('up', flush=True); time.sleep(1000)")
        await self.output.line(b"up")
        child.stop(100.0)
        self.assertEqual((await child.ended).signal, signal.SIGTERM)
        self.assertFalse(isAlive(self.pid()))
        self.assertTrue((self.folder / "term").exists())

    async def test_killed(self) -> None:
        """
        When a child is killed, a daemon is killed at once.
        """
        child = self.daemon("print('up', flush=True); time.sleep(1000)")
        await self.output.line(b"up")
        child.kill()
        self.assertEqual((await child.ended).signal, signal.SIGKILL)
        self.assertFalse(isAlive(self.pid()))
        self.assertFalse((self.folder / "term").exists())

    async def test_others(self) -> None:
        """
        A daemon of another child goes on.
        """
        first = self.daemon("print('up', flush=True); time.sleep(1000)")
        await self.output.line(b"up")
        await self.child("true").ended
        self.assertTrue(isAlive(self.pid()))
        first.kill()
        await first.ended

    async def test_exhausted(self) -> None:
        """
        While there are no descriptors it can't be known what is left. Afterwards it is, and
        ends.
        """
        child = self.daemon("print('up', flush=True); time.sleep(1000)")
        await self.output.line(b"up")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Any descriptor that is free is above the limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            child.kill()
            await self.until(lambda: not isAlive(child.pid))
            await deferLater(self.reactor, 0.2)
            self.assertFalse(child.ended.called)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual((await child.ended).signal, signal.SIGKILL)
        self.assertFalse(isAlive(self.pid()))

    async def test_left(self) -> None:
        """
        A child that may outlive this process leaves its daemons alone.
        """
        child = self.daemon(die_with_parent=False)
        self.assertEqual(await child.ended, Ended(0, None))
        self.assertTrue(child.left)
        self.assertTrue(isAlive(self.pid()))

    @skipUnless(_NGINX, "needs nginx")
    async def test_nginx(self) -> None:
        """
        nginx overwrites its environment and goes to the background. All of it ends, and the
        advice is how to start it.
        """
        (self.folder / "nginx.conf").write_text(_NGINX_CONF)
        # Killed as it was, nginx leaves this file with the id of its daemon.
        pid_file = self.folder / "nginx.pid"
        child = self.child(
            "sh",
            "-c",
            f"{_NGINX} -p . -c nginx.conf && until [ -s nginx.pid ]; do sleep 0.01; done",
        )
        ended = await child.ended
        self.assertEqual(
            ended.describe(),
            "exit status 0, but nginx went on in the background; "
            "start it in the foreground: nginx -g 'daemon off;'",
            self.output.lines,
        )
        self.assertFalse(isAlive(int(pid_file.read_text())))


class AdviceTests(RealTests):
    """
    Tests of L{advice}.
    """

    def test_known(self) -> None:
        """
        A program is known by the name of its process or by the command.
        """
        self.assertEqual(
            advice(["/usr/sbin/php-fpm8.2"], "pool www"),
            "start it in the foreground: 'php-fpm --nodaemonize'",
        )
        self.assertEqual(
            advice(["sh", "-c", "x"], "redis-server"),
            "start it in the foreground: 'redis-server --daemonize no'",
        )
