"""
Measures how much time brxy adds to the start of an app, and how starts of apps
affect other clients.

C{python -m benchmarks.coldstart.coldstart}, or C{./dev bench coldstart}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import field, frozen

from benchmarks.coldstart.coldstartedge import (
    HOSTS,
    TIMEOUT,
    Edge,
    crowd,
    firstByte,
    several,
    startEdge,
)
from benchmarks.coldstart.coldstartturns import Longest
from benchmarks.http.contender import Missing
from benchmarks.http.memory import raiseLimit
from benchmarks.http.servers import BenchError, Servers, freePort
from benchmarks.report.command import guarded, say, sayLeftOut
from brxy.test.support.docker.dockerd import MISSING, WEB, theDockerd

__all__ = ["main"]

_ROOT = Path(__file__).parents[2]

# An app that needs almost no time to start, with only two imports.
_LOOP = """\
import os, socket
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nhi"
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    if connection.recv(9999):
        connection.sendall(answer)
    connection.close()
"""

_NODE = (sys.executable, "-m", "brxy.node", "--")

# Seconds between two checks whether an app that runs alone accepts connections: short compared
# with what is measured, and no shorter, because checks slow the app down.
_LOOK = 0.001


@frozen
class Way:
    """
    One way to reach an app that does not run.

    @ivar edge: the edge that starts the app; L{None} if the benchmark does.
    @ivar times: the time to the first byte in each try, in seconds.
    """

    name: str
    edge: Edge | None
    reach: Callable[[], float]
    times: list[float] = field(factory=list)

    @property
    def median(self) -> float:
        """
        The median in milliseconds.
        """
        return 1000 * statistics.median(self.times)


@frozen
class Pauses:
    """
    The longest turn of the reactor in each of some windows.

    @ivar name: what happened meanwhile.
    @ivar connections: how many were open.
    @ivar walls: in seconds.
    @ivar cpus: seconds of the processor.
    """

    name: str
    connections: int
    walls: list[float] = field(factory=list)
    cpus: list[float] = field(factory=list)


def _parser() -> argparse.ArgumentParser:
    """
    @return: the parser of the command line.
    """
    parser = argparse.ArgumentParser(prog="bench coldstart", description="Starts from zero.")
    add = parser.add_argument
    add("--rounds", type=_positive, default=15, help="tries for each figure; default: 15")
    add("--connections", type=_positive, default=5000, help="open while apps start; default: 5000")
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--smoke", action="store_true", help="only check that everything works")
    return parser


def _positive(text: str) -> int:
    """
    @raise argparse.ArgumentTypeError: it is not a number from 1 on.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("it must be a whole number, 1 or more")
    return int(text)


def _alone(command: Sequence[str]) -> float:
    """
    Run an app without brxy, and send it a request.
    """
    port = freePort()
    began = time.perf_counter()
    app = subprocess.Popen(
        [argument.replace("{port}", str(port)) for argument in command],
        env={**os.environ, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                firstByte(port, "alone")
                return time.perf_counter() - began
            except ConnectionRefusedError:
                if app.poll() is not None or time.perf_counter() - began > TIMEOUT:
                    raise BenchError(f"{shlex.join(command)} does not answer") from None
                time.sleep(_LOOK)
    finally:
        os.killpg(app.pid, signal.SIGKILL)
        app.wait()


def _through(port: int) -> float:
    """
    Send a request to an edge for an app that does not run.
    """
    began = time.perf_counter()
    firstByte(port, next(HOSTS))
    return time.perf_counter() - began


def _apps(folder: Path, smoke: bool) -> Mapping[str, Sequence[str]]:
    """
    @return: the commands of apps, by name.
    """
    loop = folder / "loop.py"
    loop.write_text(_LOOP)
    apps = {"accept loop": [sys.executable, "-S", "-E", str(loop)]}
    if not smoke:
        apps["examples/demo.py"] = [sys.executable, str(_ROOT / "examples" / "demo.py")]
        server = ["http.server", "--bind", "127.0.0.1", "{port}"]
        apps["http.server"] = [sys.executable, "-m", *server]
    return apps


def _ways(servers: Servers, command: Sequence[str]) -> list[Way]:
    """
    @return: all ways to one app, which don't run at the same time.
    """
    ways = [Way("alone", None, partial(_alone, command))]
    for name, spawn in (("app:", command), ("process:", [*_NODE, *command])):
        edge = startEdge(servers, ["brxy.edge"], f"{name} -- {shlex.join(spawn)}")
        ways.append(Way(name, edge, partial(_through, edge.port)))
    for way in ways:
        if way.edge is not None:
            servers.waitUntilAnswering(way.edge.port, [way.edge.process])
    return ways


def _starts(
    servers: Servers, apps: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, list[Way]]:
    """
    Measure how long each app takes, in each way.
    """
    # Each way may affect the one after it, so the same two must not always follow each other.
    order = random.Random(1)
    found = {}
    for name, command in apps.items():
        say(f"starting {name}")
        found[name] = ways = _ways(servers, command)
        for _ in range(rounds):
            for way in order.sample(ways, len(ways)):
                for other in ways:
                    if other.edge is not None:
                        other.edge.settle()
                way.times.append(way.reach())
    return found


def _pauses(
    servers: Servers, command: Sequence[str], connections: int, rounds: int
) -> list[Pauses]:
    """
    Measure the turns of an edge that starts apps while this many connections
    are open.
    """
    say(f"starting apps with {connections} connections open")
    longest = Longest(servers.folder / f"turns-{connections}")
    program = ["benchmarks.coldstart.coldstartturns", str(servers.folder / f"turns-{connections}")]
    edge = startEdge(servers, program, f"app: -- {shlex.join(command)}")
    servers.waitUntilAnswering(edge.port, [edge.process])
    events: dict[str, Callable[[], None]] = {
        "nothing": lambda: time.sleep(0.05),
        "1 start": lambda: several(edge.port, 1),
        "10 starts at once": lambda: several(edge.port, 10),
    }
    found = {name: Pauses(name, connections) for name in events}
    with ExitStack() as stack:
        crowd(stack, edge.port, connections)
        for _ in range(rounds):
            for name, event in events.items():
                edge.settle()
                longest.take()
                event()
                wall, cpu = longest.take()
                found[name].walls.append(wall)
                found[name].cpus.append(cpu)
    return list(found.values())


def _containers(servers: Servers, rounds: int) -> Pauses:
    """
    Measure the turns of an edge that starts twenty containers at once, and
    stops them again.

    @raise Missing: no daemon can be started.
    """
    if MISSING:
        raise Missing(MISSING)
    say("starting containers")
    found = Pauses("20 containers", 0)
    file = servers.folder / "turns-containers"
    longest = Longest(file)
    spawn = f"docker: image={WEB} port=8000 -- httpd -f -p {{port}} -h /www"
    program = ["benchmarks.coldstart.coldstartturns", str(file)]
    edge = startEdge(servers, program, spawn, DOCKER_HOST=theDockerd().host)
    servers.waitUntilAnswering(edge.port, [edge.process])
    edge.settle()
    for _ in range(rounds):
        longest.take()
        several(edge.port, 20)
        edge.settle()
        wall, cpu = longest.take()
        found.walls.append(wall)
        found.cpus.append(cpu)
    return found


def _report(starts: Mapping[str, Sequence[Way]], pauses: Sequence[Pauses]) -> str:
    """
    @return: the tables.
    """
    lines = ["ms from zero to the first byte, medians:"]
    for name, ways in starts.items():
        first = ways[0].median
        parts = [f"{ways[0].name} {first:.1f}"]
        parts += [f"{way.name} {way.median:.1f} ({way.median - first:+.1f})" for way in ways[1:]]
        lines.append(f"  {name:18}" + "   ".join(f"{part:>26}" for part in parts))
    lines += ["", "ms of the reactor's longest turn, median/worst; of the processor:"]
    for each in pauses:
        figures = [1000 * f(v) for v in (each.walls, each.cpus) for f in (statistics.median, max)]
        lines.append(
            f"  {each.connections:5} open, {each.name:18}"
            " {:6.2f}/{:6.2f}   {:6.2f}/{:6.2f}".format(*figures)
        )
    return "\n".join(lines)


def _figures(starts: Mapping[str, Sequence[Way]], pauses: Sequence[Pauses]) -> str:
    """
    @return: the results for JSON.
    """
    return json.dumps(
        {
            "starts": {
                name: {way.name: way.times for way in ways} for name, ways in starts.items()
            },
            "pauses": [
                {"during": each.name, "open": each.connections, "s": each.walls, "cpu": each.cpus}
                for each in pauses
            ],
        },
        indent=1,
    )


def _run(options: argparse.Namespace) -> None:
    """
    Measure, and print the results.
    """
    rounds, sizes = (1, [20]) if options.smoke else (options.rounds, [0, options.connections])
    raiseLimit(max(sizes))
    with Servers() as servers:
        apps = _apps(servers.folder, options.smoke)
        starts = _starts(servers, apps, rounds)
        loop = apps["accept loop"]
        pauses = [each for size in sizes for each in _pauses(servers, loop, size, rounds)]
        left_out = []
        try:
            pauses.append(_containers(servers, rounds))
        except Missing as missing:
            left_out.append(f"containers: {missing}")
    print(_report(starts, pauses))
    if options.json is not None:
        options.json.write_text(_figures(starts, pauses) + "\n")
    sayLeftOut(left_out)


def main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    options = _parser().parse_args(argv)

    def run() -> None:
        try:
            _run(options)
        except OSError as error:
            raise BenchError(str(error)) from None

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
