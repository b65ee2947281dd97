"""
Measures how long requests take when each instance serves one at a time: brxy,
from which instances pull requests when they are free, and proxies that push
them.

C{python -m benchmarks.queueing.queueing}, or C{./dev bench queueing}.

Requests come at random times, whether earlier ones have been answered or not,
and their service times differ much. All contenders get the same requests.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from benchmarks.http.contender import Missing, needs
from benchmarks.http.memory import raiseLimit
from benchmarks.http.origin import nginxCommand
from benchmarks.http.servers import BenchError, Process, Servers, freePort
from benchmarks.queueing.queueingload import LOAD, VARIATION, Request, oneQueue, perform, requests
from benchmarks.report.command import guarded, say, sayLeftOut
from benchmarks.report.machine import describe

__all__ = ["main", "p99"]

_APP = [sys.executable, "-S", "-E", str(Path(__file__).with_name("queueingapp.py"))]

# The contender that others are compared to, and the limit that no contender can beat.
_REFERENCE, _IDEAL = "brxy, app:", "one queue, simulated"

# Instances and clients stay for the whole benchmark.
_STAY = ["--idle-timeout", "86400", "--old-idle-timeout", "86400"]
_HOLD = ["--max-held", "100000"]

# More clients than there ever are at once.
_CLIENTS = 6000

# Instances that are not ready after this many seconds have failed.
_PATIENCE = 10.0


@frozen
class Plan:
    """
    What to measure.

    @ivar mean: of the service times, in seconds.
    @ivar number: of requests in a window.
    @ivar warm: the service time of the requests before a window, in seconds;
        there are as many at once as instances, until all instances have
        answered.
    """

    instances: int
    mean: float
    number: int
    rounds: int
    warm: float


_FULL = Plan(instances=16, mean=0.02, number=8000, rounds=5, warm=0.2)
_SMOKE = Plan(instances=2, mean=0.01, number=30, rounds=1, warm=0.05)


@frozen
class Place:
    """
    The environment in which contenders are started.

    @ivar apps: the ports of the instances, for contenders that don't start
        their own.
    """

    servers: Servers
    instances: int
    apps: Sequence[int]


@frozen
class Found:
    """
    The results of a contender.

    @ivar windows: the latencies of each round, sorted, in seconds.
    """

    windows: list[Sequence[float]] = field(factory=list)

    def each(self, measure: Callable[[Sequence[float]], float]) -> list[float]:
        """
        @return: a measure of each round.
        """
        return [measure(window) for window in self.windows]


def _p50(window: Sequence[float]) -> float:
    return window[len(window) // 2]


def p99(window: Sequence[float]) -> float:
    """
    @return: the latency of the slowest but 1 %.
    """
    return window[math.ceil(len(window) * 0.99) - 1]


#: The measures of a window that are reported.
_MEASURES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "p50": _p50,
    "p99": p99,
}


# Contenders: each starts its processes, and returns its port.


def _edge(place: Place, name: str, *options: str) -> int:
    """
    Start an edge of brxy.
    """
    port = freePort()
    listen = f"tcp:{port}:interface=127.0.0.1"
    command = [sys.executable, "-m", "brxy.edge", "-p", listen, *_STAY, *_HOLD, *options]
    process = place.servers.start(name, command)
    place.servers.waitUntilListening(port, [process])
    return port


def _app(place: Place) -> int:
    """
    Start an edge that starts the instances itself.
    """
    spawn = f"app: max={place.instances} capacity=1 -- {shlex.join(_APP)}"
    return _edge(place, "app", "--spawn", spawn)


def _nodes(place: Place) -> int:
    """
    Start an edge, and a node before each instance.
    """
    inner = freePort()
    token = ["--token-file", str(place.servers.folder / "token")]
    port = _edge(place, "edge", "--node-port", f"tcp:{inner}:interface=127.0.0.1", *token)
    for app in place.apps:
        dial = ["--edge", f"tcp:127.0.0.1:{inner}", *token]
        options = [*dial, "--app", f"127.0.0.1:{app}", "--capacity", "1", *_STAY]
        place.servers.start("node", [sys.executable, "-m", "brxy.node", *options])
    return port


_NGINX = """
    upstream apps {{
        {method}
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://apps;
            proxy_read_timeout 600s;
        }}
    }}
"""


def _nginx(place: Place, name: str, method: str) -> int:
    """
    Start an nginx that chooses instances by this method.
    """
    needs("nginx")
    port = freePort()
    servers = "\n".join(f"server 127.0.0.1:{app} max_fails=0;" for app in place.apps)
    rest = _NGINX.format(method=method, servers=servers, port=port)
    process = place.servers.start(name, nginxCommand(place.servers.folder, name, rest))
    place.servers.waitUntilListening(port, [process])
    return port


_HAPROXY = """\
global
    nbthread 1
    maxconn {clients}
defaults
    mode http
    timeout connect 10s
    timeout queue 600s
    timeout client 600s
    timeout server 600s
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    default_backend apps
backend apps
    balance leastconn
{servers}
"""


def _haproxy(place: Place) -> int:
    """
    Start an HAProxy that sends each instance at most one request at a time,
    and queues the others.
    """
    needs("haproxy")
    port = freePort()
    servers = "\n".join(f"    server app{app} 127.0.0.1:{app} maxconn 1" for app in place.apps)
    config = place.servers.folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, servers=servers, clients=_CLIENTS))
    process = place.servers.start("haproxy", ["haproxy", "-db", "-f", str(config)])
    place.servers.waitUntilListening(port, [process])
    return port


_CONTENDERS: Mapping[str, Callable[[Place], int]] = {
    _REFERENCE: _app,
    "brxy, nodes": _nodes,
    "HAProxy, leastconn, maxconn 1": _haproxy,
    "nginx, least_conn": lambda place: _nginx(place, "least", "least_conn;"),
    "nginx, round robin": lambda place: _nginx(place, "robin", ""),
}


# Measurement


def _apps(servers: Servers, number: int) -> list[int]:
    """
    Start instances.

    @return: their ports.
    """
    ports = [freePort() for _ in range(number)]
    processes: list[Process] = [
        servers.start("app", ["env", f"PORT={port}", *_APP]) for port in ports
    ]
    for port, process in zip(ports, processes, strict=True):
        servers.waitUntilListening(port, [process])
    return ports


def _warm(name: str, port: int, plan: Plan) -> None:
    """
    Wait until all instances serve.

    @raise BenchError: they don't.
    """
    seen: set[bytes] = set()
    deadline = time.monotonic() + _PATIENCE
    while len(seen) < plan.instances:
        if time.monotonic() > deadline:
            raise BenchError(f"{name}: {len(seen)} of {plan.instances} instances answer")
        work = [Request(0.0, plan.warm)] * plan.instances
        seen.update(answer.instance for answer in perform(port, work))


def _launch(place: Place, plan: Plan) -> tuple[dict[str, int], list[str]]:
    """
    Start all contenders.

    @return: their ports, and lines about those that were left out.
    """
    ports, left_out = {}, []
    for name, launch in _CONTENDERS.items():
        say(f"starting {name}")
        try:
            ports[name] = launch(place)
        except Missing as missing:
            left_out.append(f"{name}: {missing}")
    for name, port in ports.items():
        _warm(name, port, plan)
    return ports, left_out


def _measure(plan: Plan, ports: Mapping[str, int]) -> dict[str, Found]:
    """
    Send each contender the requests of each round.
    """
    found = {name: Found() for name in [_IDEAL, *ports]}
    order = random.Random(1)
    for number in range(plan.rounds):
        work = requests(number + 1, plan.number, plan.instances, plan.mean)
        found[_IDEAL].windows.append(sorted(oneQueue(work, plan.instances)))
        for name in order.sample(list(ports), len(ports)):
            say(f"round {number + 1} of {plan.rounds}: {name}")
            answers = perform(ports[name], work)
            found[name].windows.append(sorted(answer.latency for answer in answers))
    return found


# Reports


def _report(plan: Plan, found: Mapping[str, Found]) -> str:
    """
    @return: a table.
    """
    lines = [
        f"{plan.instances} instances, one request at a time; load {LOAD}, service"
        f" {1000 * plan.mean:g} ms on average, standard deviation {VARIATION:g} times that.",
        f"ms, and multiples of '{_REFERENCE}'; medians of {plan.rounds} rounds"
        f" of {plan.number} requests.",
        "",
        " " * 30 + "".join(f"{name:>18}" for name in _MEASURES),
    ]
    reference = found[_REFERENCE]
    for name, one in found.items():
        cells = []
        for measure in _MEASURES.values():
            values, others = one.each(measure), reference.each(measure)
            ratios = [value / other for value, other in zip(values, others, strict=True)]
            middle, ratio = statistics.median(values), statistics.median(ratios)
            cells.append(f"{1000 * middle:10.1f} ({ratio:4.2f}x)")
        lines.append(f"{name:30}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def _write(file: Path, plan: Plan, found: Mapping[str, Found], left_out: Sequence[str]) -> None:
    """
    Write all results by round, as JSON.

    @raise BenchError: that is not possible.
    """
    figures = {
        "machine": describe(),
        "instances": plan.instances,
        "mean_service": plan.mean,
        "requests": plan.number,
        "left_out": left_out,
        "seconds": {
            name: {key: one.each(measure) for key, measure in _MEASURES.items()}
            for name, one in found.items()
        },
    }
    try:
        file.write_text(json.dumps(figures, indent=1) + "\n")
    except OSError as error:
        raise BenchError(f"can't write {file}: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    """
    @return: the parser of the command line.
    """
    parser = argparse.ArgumentParser(prog="bench queueing", description="Latency under load.")
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--plot", type=Path, metavar="FILE", help="write a plot to FILE")
    add("--smoke", action="store_true", help="only check that everything works")
    return parser


def _run(options: argparse.Namespace) -> None:
    """
    Measure, and print the results.
    """
    plan = _SMOKE if options.smoke else _FULL
    # HAProxy needs two files for each.
    raiseLimit(2 * _CLIENTS)
    with Servers() as servers:
        place = Place(servers, plan.instances, _apps(servers, plan.instances))
        ports, left_out = _launch(place, plan)
        found = _measure(plan, ports)
    print(_report(plan, found))
    if options.json is not None:
        _write(options.json, plan, found, left_out)
    if options.plot is not None:
        # Only plots need matplotlib.
        from benchmarks.queueing.queueingplot import draw

        draw({name: one.windows for name, one in found.items()}, options.plot)
    sayLeftOut(left_out)


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    options = _parser().parse_args(argv)
    return guarded(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
