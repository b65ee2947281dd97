"""
Counts the instructions that an edge executes for a request, with and without what observes it.

C{python -m benchmarks.instructions}, or C{./dev bench instructions}.

The edge runs in valgrind.  What it executes between two numbers of requests, divided by their
difference, is what one costs: its start and its end are in neither.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.http.contender import Missing, Site, needs
from benchmarks.http.origin import originCommand
from benchmarks.http.servers import ROOT, BenchError, Servers, freePort
from benchmarks.http.standing import install
from benchmarks.report.command import guarded, say, sayLeftOut
from benchmarks.report.machine import describe

__all__ = ["main"]

# The options of each case, by its name.  {folder} is that of its files.
_LOG = ("--access-log", "{folder}/access.log")
_CASES: dict[str, tuple[str, ...]] = {
    "off": (),
    "metrics": ("--metrics",),
    "access log": _LOG,
    "combined": (*_LOG, "--access-log-format", "combined"),
    "traces": (),
    "all": ("--metrics", *_LOG),
}

# One of a hundred is exported.  {origin} is what stands for a collector.
_TRACES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{origin}",
    "OTEL_TRACES_SAMPLER=parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG=0.01",
    "OTEL_BSP_SCHEDULE_DELAY=250000",
)
_TRACED = ("traces", "all")

# In valgrind the edge is this many times slower.  What it does once in a while is done as much
# more seldom, so that it is divided by as many requests as without valgrind.
_SLOWDOWN = 50
_EDGE = f"""
import runpy
from brxy.edge.accesslog import writer
from brxy.edge.metrics import turns
from brxy.edge.records import records
for each in writer, turns, records:
    each.PAUSE *= {_SLOWDOWN}
runpy.run_module("brxy.edge", run_name="__main__")
"""

# As a browser sends them.
_REQUEST = (
    b"GET /?n=%d HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=0123456789\r\n\r\n"
)
_END = b"hello\n"

_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")

# Seconds.
_START = 300.0
_PATIENCE = 60.0


def _load(port: int, requests: int, clients: int) -> None:
    """
    Send a number of requests on some connections, on each one after the other.
    """
    waiting: dict[socket.socket, bytes] = {}
    numbers = iter(range(requests))
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(_REQUEST % next(numbers))
            waiting[client] = b""
            selector.register(client, selectors.EVENT_READ)
        while waiting:
            ready = selector.select(_PATIENCE)
            if not ready:
                raise BenchError("the edge does not answer")
            for key, _ in ready:
                client = key.fileobj  # type: ignore[assignment]
                waiting[client] += client.recv(65536)
                if not waiting[client].endswith(_END):
                    continue
                if not waiting[client].startswith(b"HTTP/1.1 200"):
                    raise BenchError(waiting[client].decode("latin-1"))
                waiting[client] = b""
                number = next(numbers, None)
                if number is None:
                    selector.unregister(client)
                    client.close()
                    del waiting[client]
                else:
                    client.sendall(_REQUEST % number)


def _count(name: str, requests: int, clients: int) -> int:
    """
    @return: the instructions of an edge from its start to its end.
    """
    with Servers() as servers:
        folder, port = servers.folder, freePort()
        site = Site(servers, freePort(), clients)
        log = folder / "valgrind.log"
        install(folder)
        origin = originCommand(folder, site.origin)
        traces = _TRACES if name in _TRACED else ()
        command = [
            *("env", "PYTHONHASHSEED=0", f"PYTHONPATH={ROOT}:{folder}"),
            *(each.format(origin=site.origin) for each in traces),
            *("valgrind", "--tool=cachegrind", "--cache-sim=no", f"--log-file={log}"),
            *("--cachegrind-out-file=/dev/null", sys.executable, "-c", _EDGE),
            *("-p", f"tcp:{port}:interface=127.0.0.1", "-c", "16"),
            *("--idle-timeout", "86400", "--spawn", f"standing: max=1 port={site.origin}"),
            *(each.format(folder=folder) for each in _CASES[name]),
        ]
        servers.start("origin", origin)
        running = site.start("edge", {"edge": command}, port)
        edge = running.parts["edge"]
        servers.waitUntilAnswering(port, [edge], _START)
        _load(port, requests, clients)
        os.kill(edge.pid, signal.SIGTERM)
        edge.popen.wait(_START)
        found = _COUNT.search(log.read_text())
        if found is None:
            raise edge.failed("left no count")
        return int(found[1].replace(",", ""))


def _run(
    requests: int, rounds: int, clients: int, names: Sequence[str], output: Path | None
) -> None:
    for program in ("valgrind", "nginx"):
        needs(program)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            less, more = (_count(name, number, clients) for number in (requests, 3 * requests))
            figures[name].append((more - less) / (2 * requests))
            say(f"{name}: {figures[name][-1]:.0f}")
    base = min(figures["off"])
    print(f"instructions of the edge for a warm request, {clients} connections\n")
    for name, found in figures.items():
        print(f"{name:12}{min(found):12,.0f}{100 * (min(found) / base - 1):+8.1f} %")
    print("\n" + ", ".join(f"{name} {text}" for name, text in describe().items()))
    if output is not None:
        output.write_text(json.dumps({"machine": describe(), "figures": figures}, indent=1))


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="./dev bench instructions", description=__doc__)
    add = parser.add_argument
    add("--requests", type=int, default=1000, help="in the shorter one of two runs")
    add("--rounds", type=int, default=2, help="how many times each case is counted")
    add("--connections", type=int, default=1, help="how many the clients have")
    add("--only", nargs="+", choices=list(_CASES), default=list(_CASES), help="only these cases")
    add("--json", type=Path, help="also write the results to this file")
    add("--smoke", action="store_true", help="only check that everything works")
    given = parser.parse_args(argv)
    requests, rounds, names = given.requests, given.rounds, given.only
    if given.smoke:
        requests, rounds, names = 50, 1, ["off", "all"]

    def run() -> None:
        try:
            _run(
                requests,
                rounds,
                given.connections,
                list(dict.fromkeys(["off", *names])),
                given.json,
            )
        except Missing as error:
            sayLeftOut([str(error)])

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
