"""
The examples of README.md and doc/, for tests that run them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from brxy.test.support.pages import allLines, codeLines, pages

__all__ = ["ELSEWHERE", "NOT_SERVED", "STUB", "Block", "allBlocks", "listed"]

#: Pages whose examples other tests run, and records of the past.
_OTHER_PAGES = {
    "protocol.rst": "brxy.test.house.test_protocol_doc",
    "tried-apps.rst": "brxy.test.house.test_tried_apps_doc, brxy.test.programs.test_tried_apps",
    "benchmarks.rst": "brxy.test.house.test_bench",
    "CHANGES.rst": "a record",
}

#: A server that any app of the examples can be: it answers each request, and also what is no
#: request, on the port in its environment.
STUB = """\
import os, signal, socket, sys, threading

signal.signal(signal.SIGINT, signal.SIG_DFL)

def serve(client):
    with client:
        if data := client.recv(65536):
            body = b"served by " + os.path.basename(sys.argv[0]).encode()
            head = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n"
            client.sendall(head % len(body) + body)

with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

_DOCKER = "needs an image of a registry; brxy.test.spawners.docker uses one of its own"
_SWARM = "needs an image of a registry; brxy.test.spawners.swarm uses one of its own"
_CLUSTER = "needs a cluster; brxy.test.spawners.kubernetes has one of its own"
_SSH = "needs another host; brxy.test.spawners.ssh uses an sshd of its own"

#: Edges that are started, but serve no client: by a part of the block, the reason.
NOT_SERVED = {
    ("README.md", "docker: image=nginx"): _DOCKER,
    ("containers.rst", "docker: image=nginx:1.25"): _DOCKER,
    ("containers.rst", "docker: image=hello:2"): _DOCKER,
    ("containers.rst", "docker run --rm"): _DOCKER,
    ("containers.rst", "swarm: image"): _SWARM,
    ("kubernetes.rst", "image=traefik/whoami"): _CLUSTER,
    ("kubernetes.rst", "image=registry.example.com/shop:1 edge"): _CLUSTER,
    ("kubernetes.rst", "template=/etc/brxy/pod.yaml"): _CLUSTER,
    ("kubernetes.rst", "kubectl run"): _CLUSTER,
    ("other-hosts.rst", "ssh: host=web1"): _SSH,
    ("other-hosts.rst", "nomad job dispatch"): "needs Nomad",
    ("other-hosts.rst", "marathon.example.net"): "needs Marathon",
    ("spawn.rst", "ssh: host=web1,web2"): _SSH,
    ("spawn.rst", "docker: image=nginx:1.25"): _DOCKER,
    ("spawn.rst", "swarm: image"): _SWARM,
    ("spawn.rst", "kubernetes: image=registry"): _CLUSTER,
    ("tutorial.rst", "docker: image=nginx"): _DOCKER,
    ("writing-spawners.rst", "wake: mac"): "needs a machine to wake; "
    "brxy.test.spawners.test_example_spawner wakes a substitute",
}

_ADMIN = "shows what is answered; brxy.test.whole.test_admin asks"
_CONFIG = "is part of a file; brxy.test.house.test_config_doc reads the whole ones"
_CHECKOUT = "is run with each change: ./dev"
_BRXY = "shows what is printed; brxy.test.programs.test_brxy runs the commands"
_METRICS = "shows what is scraped; brxy.test.programs.test_metrics scrapes an edge"
_INSTALL = "installs from a registry; brxy.test.house.test_packaging installs offline"
_LOGS = "shows what is written; brxy.test.programs.test_accesslog writes the same"
_OUTPUT = "shows what is printed"
_DRAWING = "is a drawing"
_UPGRADE = "is tried in brxy.test.programs.test_upgrade"
_DASHBOARD = "is tried in brxy.test.programs.test_dashboard"
_TUTORIAL = "is tried in brxy.test.programs.test_tutorial"
_WATCH = "is tried in brxy.test.programs.test_watching"
_SHORTENED = "is shortened; brxy.test.programs.test_edge sends the signals"
_SYSTEMD = "needs systemd; brxy.test.programs.test_systemd runs the units"

_TRACES = "shows what is exported; brxy.test.programs.test_traces exports the same"

# A line of a log: with or without a time, an instance, what wrote it, and the level.
_LOGGED = re.compile(
    r"(\d{4}-\d\d-\d\dT|\d\d:\d\d:\d\d |[0-9a-f]{16}\||[a-z.-]+(/[0-9a-f]{16})?: |gone: )"
)

#: Blocks that are not run here: by a part of the block, the reason.
ELSEWHERE = {
    ("README.md", "./dev demo"): _CHECKOUT,
    ("README.md", "client ──▶ edge"): _DRAWING,
    ("README.md", "--config brxy.toml"): "brxy.test.programs.test_config starts such edges",
    ("admin.rst", "curl --unix-socket"): "is asked in brxy.test.programs.test_brxy",
    ("admin.rst", "--admin tls:9900"): _ADMIN,
    ("admin.rst", "/v1/routes/default |"): _ADMIN,
    ("admin.rst", "/v1/timeline |"): _ADMIN,
    ("admin.rst", "/v1/series?since="): _ADMIN,
    ("admin.rst", "/v1/events?host=default"): _ADMIN,
    ("admin.rst", '{"min": 9}'): _ADMIN,
    ("apps.rst", "ready-log="): "are keys, of a line in tried-apps",
    ("behind-a-proxy.rst", "proxy_pass"): "is run by test_nginx",
    ("brxy.rst", "$ brxy run"): _BRXY,
    ("brxy.rst", "edge f644832d: ready"): _BRXY,
    ("brxy.rst", "brxy: no edge at"): _BRXY,
    ("brxy.rst", "$ brxy routes"): _BRXY,
    ("brxy.rst", "$ brxy config --diff"): _BRXY,
    ("brxy.rst", "$ brxy upgrade"): _UPGRADE,
    ("dashboard.rst", "$ brxy dashboard"): _DASHBOARD,
    ("dashboard.rst", "ssh -L 9901"): _SSH,
    ("operations.rst", "process 35412, brxy 0.1.0, has taken over"): _UPGRADE,
    ("operations.rst", "brxy: brxy.toml can't be used"): _UPGRADE,
    ("operations.rst", "upgrading: the next edge"): _UPGRADE,
    ("brxy.rst", "$ brxy instances"): _BRXY,
    ("brxy.rst", "$ brxy events"): _BRXY,
    ("brxy.rst", "$ brxy logs"): _BRXY,
    ("brxy.rst", "$ brxy certs"): _BRXY,
    ("brxy.rst", "$ brxy check"): _BRXY,
    ("brxy.rst", "$ brxy wake"): _BRXY,
    ("brxy.rst", "$ brxy pause"): _BRXY,
    ("brxy.rst", "$ brxy stop"): _BRXY,
    ("brxy.rst", "$ brxy drain"): _BRXY,
    ("brxy.rst", "$ brxy reload"): _BRXY,
    ("brxy.rst", "edge 7399fec8   ready"): _BRXY,
    ("concepts.rst", "client ──▶ edge"): _DRAWING,
    ("config.rst", "--config /etc/brxy"): "brxy.test.programs.test_config starts such edges",
    ("config.rst", '[edge]\ninclude = "apps/*.toml"'): _CONFIG,
    ("config.rst", 'prot = ["8080"]'): _CONFIG,
    ("config.rst", "did you mean port?"): _CONFIG,
    ("config.rst", "watch = true"): _WATCH,
    ("config.rst", "apps/blog.toml:2:"): _WATCH,
    ("config.rst", 'error-pages = "/srv'): "brxy.test.programs.test_requests runs it",
    ("config.rst", "#:schema"): "is a line for editors",
    ("containers.rst", "FROM python"): "needs an image of a registry",
    ("containers.rst", "docker build"): "needs an image of a registry",
    ("containers.rst", "AmbientCapabilities="): _SYSTEMD,
    ("contributing.rst", "./dev test"): _CHECKOUT,
    ("https.rst", "certbot renew"): "needs certbot and a public name",
    ("index.rst", "./dev demo"): _CHECKOUT,
    ("README.md", "pipx install"): _INSTALL,
    ("install.rst", "pipx install"): _INSTALL,
    ("install.rst", "-m venv /opt/brxy"): _INSTALL,
    ("install.rst", "uvx --from"): "brxy.test.programs.test_installed runs it offline",
    ("install.rst", "docker build"): "brxy.test.programs.test_image builds it offline",
    ("install.rst", "pex . --venv"): "brxy.test.programs.test_installed runs it offline",
    ("install.rst", "export PATH"): _INSTALL,
    ("install.rst", "$ twistd --help"): "is run by test_help",
    ("install.rst", "[options]"): "is a synopsis",
    ("kubernetes.rst", "kind: Kustomization"): "brxy.test.spawners.kubernetes applies the bases",
    ("kubernetes.rst", "components:"): "brxy.test.spawners.kubernetes builds the component",
    ("kubernetes.rst", "kind: Pod"): "is the template of the edge with template=",
    ("logs.rst", "grep -E"): "filters output",
    ("logs.rst", '"event":"ready"'): _LOGS,
    ("logs.rst", '"order_ms":'): _LOGS,
    ("logs.rst", "curl/7.88.1"): _LOGS,
    ("logs.rst", "Server-Timing: brxy-hold"): _LOGS,
    ("migrating.rst", '"whoami.example.com"]'): _CONFIG,
    ("migrating.rst", 'kind = "kubernetes"'): _CONFIG,
    ("migrating.rst", 'ready-path = "/up"'): _CONFIG,
    ("migrating.rst", "[route.redis]"): _CONFIG,
    ("operations.rst", "brxy-edge …"): _SHORTENED,
    ("operations.rst", "kill -USR2"): _SHORTENED,
    ("metrics.rst", "--metrics --admin"): _METRICS,
    ("metrics.rst", "scrape_configs:"): _METRICS,
    ("metrics.rst", "http://127.0.0.1:9900/metrics"): _METRICS,
    ("metrics.rst", "brxy_requests_total{"): _METRICS,
    ("other-hosts.rst", "ssh -o BatchMode"): _SSH,
    ("signals.rst", "kill -USR2"): _SHORTENED,
    ("spawn.rst", "NAME: key=value"): "is a syntax",
    ("systemd.rst", "-m venv /opt/brxy"): _SYSTEMD,
    ("systemd.rst", "brxy-node.service"): _SYSTEMD,
    ("tutorial.rst", "-m venv venv"): _INSTALL,
    ("traces.rst", "python3 examples/collector.py"): _TRACES,
    ("traces.rst", "86ddf5c9"): _TRACES,
    ("traces.rst", "export OTEL_TRACES_SAMPLER"): _TRACES,
    ("tutorial.rst", "from flask import"): "is run by test_tutorialApp",
    ("tutorial.rst", "$ curl localhost:8080"): _OUTPUT,
    ("tutorial.rst", "Process 23659 took"): _OUTPUT,
    ("tutorial.rst", "Process 23668 took"): _OUTPUT,
    ("tutorial.rst", "in 1 2 3 4 5;"): _OUTPUT,
    ("tutorial.rst", "kill -USR2"): _SHORTENED,
    ("tutorial.rst", "kill -9 $(cat"): "brxy.test.programs.test_scaling kills edges",
    ("tutorial.rst", "pkill"): "brxy.test.programs.test_node kills nodes",
    ("tutorial.rst", "Hello from process 23801"): _OUTPUT,
    ("tutorial.rst", '[route."files.localhost".spawn]'): _TUTORIAL,
    ("tutorial.rst", "brxy check brxy.toml"): _TUTORIAL,
    ("tutorial.rst", "brxy routes --socket"): _TUTORIAL,
    ("tutorial.rst", "brxy reload --socket"): _TUTORIAL,
    ("tutorial.rst", "brxy dashboard --socket"): _DASHBOARD,
    ("tutorial.rst", "$ redis-cli"): "brxy.test.programs.test_redis talks to Redis",
    ("tutorial.rst", "$ curl --cacert"): _OUTPUT,
    ("writing-spawners.rst", "pip install"): "brxy.test.house.test_packaging installs it",
    ("writing-spawners.rst", "trial test_brxy_stay"): "brxy.test.house.test_packaging runs it",
}


@frozen
class Block:
    """
    A block of code in a page.

    @ivar page: the name of the page.
    @ivar number: of its first line.
    @ivar text: its lines, without their indentation.
    """

    page: str
    number: int
    text: str

    def lines(self) -> list[str]:
        """
        @return: its lines as a shell reads them: a quoted part and an escaped end of a line
            go on.
        """
        found, line = [], ""
        for each in self.text.replace("\\\n", " ").splitlines():
            line = f"{line}\n{each}" if line else each
            try:
                shlex.split(line)
            except ValueError:
                continue
            found.append(line)
            line = ""
        return [each for each in found if each.strip()]

    def isLog(self) -> bool:
        """
        @return: whether it shows a part of a log, or one message of it.
        """
        first, *others = self.text.splitlines()
        logged = _LOGGED.match(first) is not None
        return logged and (first.startswith("gone: ") or all(map(_LOGGED.match, others)))

    def isRun(self) -> bool:
        """
        @return: whether brxy is started, or is given options.
        """
        if any((self.page, part) in ELSEWHERE and part in self.text for part in listed(ELSEWHERE)):
            return False
        return any(re.match(r"twistd |--\w|python -m brxy\.", line) for line in self.lines())


def listed(table: dict[tuple[str, str], str]) -> list[str]:
    """
    @return: the parts of blocks in a table.
    """
    return [part for _, part in table]


def _indented(page: Path) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in allLines(page) if line.startswith("    "))


def allBlocks() -> list[Block]:
    """
    @return: all blocks of code of all pages, except those of pages that have tests of their own.
    """
    found = []
    for page in pages("*.md", "doc/*.rst"):
        if page.name in _OTHER_PAGES:
            continue
        lines = codeLines(page) if page.suffix == ".rst" else _indented(page)
        block: list[str] = []
        start = 0
        for number, line in [*lines, (10**9, "")]:
            if number != start + len(block):
                text = "\n".join(block).strip("\n")
                if text.strip():
                    found.append(Block(page.name, start, _dedent(text)))
                block, start = [], number
            block.append(line)
    return found


def _dedent(text: str) -> str:
    lines = text.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)
