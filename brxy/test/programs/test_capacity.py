"""
Tests of real servers whose capacity the edge learns. Their apps answer only when as many
requests as expected are at work at once.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from unittest import SkipTest

from twisted.internet.defer import Deferred, gatherResults

from brxy.test.support.processes.programs import Answer, Program, ProgramTests

__all__ = ["CapacityTests", "KilledTests"]

# A request leaves a file, and is answered when there are as many as NUMBER says.
_PYTHON = """\
import http.server, os, sys, time

class Request(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open(f"seen{self.path.replace('/', '-')}", "x").close()
        while len([name for name in os.listdir() if name.startswith("seen-")]) < int(sys.argv[2]):
            time.sleep(0.005)
        body = b"%d" % os.getpid()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = getattr(http.server, sys.argv[1])(("127.0.0.1", int(os.environ["PORT"])), Request)
# A connection that was taken back is reset.
server.handle_error = lambda *args: None
server.serve_forever()
"""

_PHP = """\
<?php
fclose(fopen("seen" . str_replace("/", "-", $_SERVER["REQUEST_URI"]), "x"));
while (count(glob("seen-*")) < (int) getenv("NUMBER")) {
    usleep(5000);
}
echo getmypid();
"""

# Four threads accept connections.  Each request is noted as it begins and as it ends.
_THREADS = """\
import os, socket, threading, time

journal = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
listening = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=5)

def serve():
    while True:
        connection, _ = listening.accept()
        head = b""
        try:
            while b"\\r\\n\\r\\n" not in head:
                data = connection.recv(65536)
                if not data:
                    break
                head += data
            else:
                name = head.split(b" ")[1]
                os.write(journal, b"+%b %d\\n" % (name, os.getpid()))
                time.sleep(0.005)
                os.write(journal, b"-%b %d\\n" % (name, os.getpid()))
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        except OSError:
            pass
        connection.close()

for _ in range(4):
    threading.Thread(target=serve).start()
"""


class _Posts(ProgramTests):
    """
    Base of tests with POSTs.
    """

    async def postAt(self, address: str, name: str) -> Answer:
        """
        Send a POST.

        @param name: of the request, for its path.
        """
        head = f"POST /{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        return await self.talk(address, f"{head}Content-Length: 0\r\n\r\n".encode())

    async def post(self, edge: Program, names: Sequence[str]) -> list[Answer]:
        """
        Send POSTs at once.
        """
        address = await self.address(edge)
        sent = [Deferred.fromCoroutine(self.postAt(address, name)) for name in names]
        return await gatherResults(sent, consumeErrors=True)


class CapacityTests(_Posts):
    """
    Tests of how many requests a server gets at once.
    """

    def _python(self, kind: str, number: int, keys: str) -> Program:
        (self.folder / "app.py").write_text(_PYTHON)
        return self.edge("--spawn", f"app: {keys} -- python app.py {kind} {number}")

    async def _checked(self, edge: Program, number: int, instances: int) -> None:
        # That a name is used once is checked by the apps, which make its file anew.
        answers = await self.post(edge, [f"first-{n}" for n in range(number)])
        self.assertEqual([answer.status for answer in answers], [200] * number)
        self.assertEqual(len({answer.body for answer in answers}), instances)
        await self.stopped(edge)

    async def test_threads(self) -> None:
        """
        A server with a thread for each connection gets all requests at once.
        """
        await self._checked(self._python("ThreadingHTTPServer", 8, "max=1"), 8, 1)

    async def test_most(self) -> None:
        """
        Such a server gets no more than max-capacity at once.
        """
        edge = self._python("ThreadingHTTPServer", 6, "max=2 max-capacity=3")
        await self._checked(edge, 6, 2)

    async def test_single(self) -> None:
        """
        A server that takes one request at a time gets one, and others go to other instances.
        """
        await self._checked(self._python("HTTPServer", 3, "max=3"), 3, 3)

    async def test_php(self) -> None:
        """
        PHP's server gets as many requests at once as it has processes, although each of them
        accepts more connections than it works on.
        """
        if shutil.which("php") is None:
            raise SkipTest("needs php: apt install php-cli")
        (self.folder / "index.php").write_text(_PHP)
        env = "env=NUMBER=4,PHP_CLI_SERVER_WORKERS=3"
        edge = self.edge("--spawn", f"app: max=1 {env} -- php -S 127.0.0.1:{{port}} index.php")
        await self._checked(edge, 4, 4)


class KilledTests(_Posts):
    """
    Tests of instances that are killed.
    """

    async def _kill(self) -> None:
        """
        Kill the instance that has noted something last.
        """
        pid = int((self.folder / "journal").read_text().split()[-1])
        os.kill(pid, signal.SIGKILL)
        await self.gone(pid)

    async def test_once(self) -> None:
        """
        Each POST runs at most once, and is answered: by 502 only if its app was killed.
        """
        (self.folder / "app.py").write_text(_THREADS)
        edge = self.edge("--spawn", "app: max=2 -- python app.py")
        address = await self.address(edge)
        left = iter(range(240))
        answers: dict[str, int] = {}

        async def client() -> None:
            for number in left:
                name = f"/{number}"
                answers[name] = (await self.postAt(address, name[1:])).status

        clients = gatherResults(
            [Deferred.fromCoroutine(client()) for _ in range(32)], consumeErrors=True
        )
        await self.until(lambda: len(answers) >= 60)
        await self._kill()
        await self.until(lambda: len(answers) >= 140)
        await self._kill()
        await clients
        lines = (self.folder / "journal").read_text().splitlines()
        runs = Counter(line.split()[0] for line in lines)
        self.assertEqual([name for name, count in runs.items() if count > 1], [])
        self.assertEqual(len(answers), 240)
        failed = {name for name, status in answers.items() if status != 200}
        self.assertEqual({answers[name] for name in failed} - {502}, set())
        # Two instances were killed.  Each works on four requests, and may have as many again that
        # it has not begun to read: a place is given away when the answer is there.
        self.assertLessEqual(len(failed), 16)
        unfinished = {name for name in answers if f"-{name}" not in runs}
        self.assertLessEqual(unfinished, failed)
        await self.stopped(edge)
