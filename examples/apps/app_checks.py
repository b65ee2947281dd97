"""
What is prepared for the apps of C{apps.toml}, and how they are checked, with
Python's standard library and command line clients.
"""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TypeVar

from app_runs import LIMIT, Failed, Run, asPostgres, until

_T = TypeVar("_T")


def expect(condition: object, what: str) -> None:
    """
    @raise Failed: a condition does not hold.
    """
    if not condition:
        raise Failed(what)


def request(
    run: Run,
    path: str = "/",
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[http.client.HTTPResponse, str]:
    """
    Make a request on a connection of its own.
    """
    with closing(http.client.HTTPConnection("localhost", run.port, timeout=LIMIT)) as client:
        client.request(method, path, body, dict(headers or {}))
        response = client.getresponse()
        text = response.read().decode()
    return response, text


def get(run: Run, path: str = "/", status: int = 200) -> str:
    """
    @return: the body of the answer to a GET.
    """
    response, text = request(run, path)
    expect(response.status == status, f"{path}: {response.status} {text[:200]}")
    return text


def atOnce(run: Run, call: Callable[[], _T]) -> list[_T]:
    """
    Make as many calls at once as the app's entry says.
    """
    with ThreadPoolExecutor(run.app.at_once) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(run.app.at_once)]]


# Apps over HTTP


def checkWeb(run: Run) -> None:
    """
    The app answers, also slow requests at once.
    """
    get(run)
    atOnce(run, lambda: get(run, "/slow"))


def checkPHP(run: Run) -> None:
    """
    As L{checkWeb}, and the app gets the body of a POST.
    """
    checkWeb(run)
    _, text = request(run, "/", "POST", "a=b", {"Content-Type": "text/plain"})
    expect("POST" in text, text)


def checkFiles(run: Run) -> None:
    """
    The app serves a file.
    """
    for text in (get(run, "/hello.txt"), *atOnce(run, lambda: get(run, "/hello.txt"))):
        expect(text == "Hello from a file\n", text)


def checkFastAPI(run: Run) -> None:
    """
    The app answers, events arrive when they are sent, and a WebSocket works.
    """
    checkWeb(run)
    arrived = [(when, line) for when, line in eventLines(run, "/events") if line != "\n"]
    expect([line for _, line in arrived] == [f"data: {n}\n" for n in range(3)], str(arrived))
    expect(arrived[2][0] - arrived[0][0] > 0.7, f"events came together: {arrived}")
    import websockets.sync.client

    url = f"ws://localhost:{run.port}/echo"
    with websockets.sync.client.connect(url, proxy=None) as client:
        for message in ("a", "b", "x" * 100_000):
            client.send(message)
            expect(client.recv(timeout=LIMIT) == message, "another message came back")


def prepareNginx(run: Run) -> None:
    """
    Put the app's port into its configuration.
    """
    conf = run.folder / "nginx.conf"
    conf.write_text(run.replaced(conf.read_text()))


def eventLines(run: Run, path: str) -> Iterable[tuple[float, str]]:
    """
    @return: the lines of an event stream, with the time at which each arrived.
    """
    with closing(http.client.HTTPConnection("localhost", run.port, timeout=LIMIT)) as client:
        client.request("GET", path, headers={"Accept": "text/event-stream"})
        response = client.getresponse()
        while line := response.readline():
            yield time.monotonic(), line.decode()


def prepareDjango(run: Run) -> None:
    """
    Make a project with a database and a user.
    """
    if (run.folder / "manage.py").exists():
        return
    user = ("--noinput", "--username", "a", "--email", "a@example.com")
    for command in (
        ["django-admin", "startproject", "site_hello", "."],
        ["python", "manage.py", "migrate", "--verbosity", "0"],
        ["python", "manage.py", "createsuperuser", "--verbosity", "0", *user],
    ):
        environ = {**run.environ(), "DJANGO_SUPERUSER_PASSWORD": "secret"}
        subprocess.run(command, cwd=run.folder, env=environ, check=True)


def checkDjango(run: Run) -> None:
    """
    The admin's form works, with its cookies and its token.
    """
    path = "/admin/login/?next=/admin/"
    response, page = request(run, path)
    expect(response.status == 200, f"{response.status} {page[:200]}")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
    expect(token and cookie, "no token, or no cookie")
    assert token is not None
    fields = {"username": "a", "password": "secret", "csrfmiddlewaretoken": token[1]}
    headers = {
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://localhost:{run.port}",
    }
    response, page = request(run, path, "POST", urllib.parse.urlencode(fields), headers)
    expect(response.status == 302, f"{response.status} {page[:200]}")
    cookies = response.headers.get_all("Set-Cookie") or []
    session = "; ".join(each.partition(";")[0] for each in cookies)

    def readAdmin() -> None:
        _, found = request(run, "/admin/", headers={"Cookie": session})
        expect("Site administration" in found, found[:200])

    atOnce(run, readAdmin)


# Servers over TCP


def checkRedis(run: Run) -> None:
    """
    All connections reach the same server.
    """
    with socket.create_connection(("127.0.0.1", run.port), LIMIT) as first:
        expect(redis(first, b"SET colour green\r\n") == b"+OK\r\n", "not set")

        def read() -> None:
            with socket.create_connection(("127.0.0.1", run.port), LIMIT) as client:
                expect(redis(client, b"GET colour\r\n") == b"$5\r\ngreen\r\n", "not the key")

        atOnce(run, read)
        expect(redis(first, b"SAVE\r\n") == b"+OK\r\n", "not saved")
    until(lambda: run.count(": gone: ") == 1, "Redis is gone")
    with socket.create_connection(("127.0.0.1", run.port), LIMIT) as later:
        expect(redis(later, b"GET colour\r\n") == b"$5\r\ngreen\r\n", "not the key of before")


def redis(client: socket.socket, command: bytes) -> bytes:
    """
    @return: the answer to a command.
    """
    client.sendall(command)
    return client.recv(1000)


def preparePostgres(run: Run) -> None:
    """
    Make a database cluster.
    """
    data = run.folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    if asPostgres():
        shutil.chown(data, "postgres", "postgres")
    command = ["initdb", "--no-sync", "-D", str(data), "-A", "trust", "-U", "postgres"]
    # Nothing of the folder around it needs to be readable for that user.
    subprocess.run(
        [*asPostgres(), *command],
        env={**run.environ(), "LC_ALL": "C"},
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
    )


def checkPostgres(run: Run) -> None:
    """
    The first of all clients is served, not told that the server is starting.
    """

    def select() -> None:
        command = ["psql", "-h", "127.0.0.1", "-p", str(run.port), "-U", "postgres"]
        done = subprocess.run(
            [*command, "-Atc", "SELECT 1"],
            env=run.environ(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        expect(done.stdout == "1\n", done.stderr)

    select()
    atOnce(run, select)


def checkBackground(run: Run) -> None:
    """
    The client is not kept waiting, and the log says what is wrong.
    """
    with (
        socket.create_connection(("127.0.0.1", run.port), LIMIT) as client,
        suppress(ConnectionResetError),
    ):
        client.sendall(b"PING\r\n")
        # The app may answer in the moment before its first process has ended.
        while client.recv(1000):
            pass
    said = "went on in the background; start it in the foreground"
    until(lambda: said in run.log(), said)


# Containers


def prepareHealthy(run: Run) -> None:
    """
    Build the image.
    """
    busybox = shutil.which("busybox")
    assert busybox is not None
    root = run.folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "www", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin")
    shutil.copy(run.folder / "start", root / "start")
    environ = {**run.environ(), "DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "-q", "-t", "hello-healthy:1", "."]
    subprocess.run(command, cwd=run.folder, env=environ, check=True, capture_output=True)


def checkHealthy(run: Run) -> None:
    """
    Nothing is sent to the app before its container is healthy.
    """
    text = get(run, "/hello.txt")
    expect(text == "Hello from a healthy container\n", text)
    atOnce(run, lambda: get(run, "/hello.txt"))
    command = ["docker", "ps", "-aq", "--filter", "ancestor=hello-healthy:1"]
    until(lambda: not subprocess.check_output(command, env=run.environ()), "no container is left")


#: By the name of a check.
PREPARE = {
    "django": prepareDjango,
    "postgres": preparePostgres,
    "nginx": prepareNginx,
    "healthy": prepareHealthy,
}

CHECKS = {
    "web": checkWeb,
    "php": checkPHP,
    "files": checkFiles,
    "nginx": checkFiles,
    "fastapi": checkFastAPI,
    "django": checkDjango,
    "redis": checkRedis,
    "postgres": checkPostgres,
    "background": checkBackground,
    "healthy": checkHealthy,
}
