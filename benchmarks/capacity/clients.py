"""
The clients of the servers, and what is seen of their requests.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from subprocess import check_output

from attrs import field, frozen

__all__ = ["Answer", "Journal", "Sampler", "burst", "crowd", "sequence", "withdrawn"]

# Seconds within which each request must have been answered.
_PATIENCE = 60.0

# Seconds between two looks at the connections of an app. A look takes some milliseconds.
_LOOK = 0.1

# The startup message of a PostgreSQL client: its length, version 3.0, and parameters.
_PARAMETERS = b"user\0postgres\0database\0postgres\0\0"
_STARTUP = (8 + len(_PARAMETERS)).to_bytes(4) + b"\0\3\0\0" + _PARAMETERS
_TERMINATE = b"X\0\0\0\4"


@frozen
class Answer:
    """
    What became of one request.

    @ivar sent: when, in seconds of the epoch.
    @ivar status: of the response; 0 if there was none.
    @ivar body: of the response.
    @ivar cut: the connection was reset after the response had begun.
    """

    name: str
    sent: float
    answered: float
    status: int
    body: bytes = b""
    cut: bool = False


@frozen
class Journal:
    """
    What the app ran.

    @ivar begun: for each request, when it began; more than one time if it ran more than once.
    @ivar ended: likewise.
    """

    begun: dict[str, list[float]] = field(factory=dict)
    ended: dict[str, list[float]] = field(factory=dict)

    @staticmethod
    def read(file: Path) -> Journal:
        """
        Read the file that the app has written.
        """
        found = Journal()
        for line in file.read_text().splitlines() if file.exists() else ():
            sign, name, at = line.split(" ")
            (found.begun if sign == "+" else found.ended).setdefault(name, []).append(float(at))
        return found

    def atOnce(self, names: Sequence[str]) -> int:
        """
        @return: how many of these requests ran at once at most.
        """
        events = [(at, 1) for name in names for at in self.begun.get(name, ())]
        events += [(at, -1) for name in names for at in self.ended.get(name, ())]
        most = now = 0
        for _, step in sorted(events):
            now += step
            most = max(most, now)
        return most


#: Performs one request: its port, name and milliseconds, and the journal, for protocols whose
#: servers write none.
_Perform = Callable[[int, str, float, Path], Coroutine[None, None, Answer]]


async def _http(port: int, name: str, ms: float, journal: Path) -> Answer:
    """
    Send one POST.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = time.time()
        writer.write(
            f"POST /{name}?ms={ms:.3f} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        data, cut = b"", False
        try:
            while piece := await reader.read(65536):
                data += piece
        except ConnectionError:
            cut = bool(data)
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head else 0
        return Answer(name, sent, time.time(), status, body, cut)
    finally:
        writer.close()


async def _talk(
    port: int, name: str, ms: float, journal: Path, first: bytes, good: bytes, last: bytes
) -> Answer:
    """
    Hold one session of a TCP server, whose client speaks first.

    @param first: what the client sends.
    @param good: how a good answer begins.
    @param last: how the client takes leave.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = time.time()
        writer.write(first)
        answer = await reader.read(1000)
        good_answer = answer.startswith(good)
        if good_answer:
            with journal.open("a") as file:
                file.write(f"+ {name} {time.time():.6f}\n")
                file.flush()
                await asyncio.sleep(ms / 1000)
                file.write(f"- {name} {time.time():.6f}\n")
            writer.write(last)
            await reader.read()
        return Answer(name, sent, time.time(), 200 if good_answer else 0)
    finally:
        writer.close()


async def _redis(port: int, name: str, ms: float, journal: Path) -> Answer:
    """
    Hold one session of redis.
    """
    return await _talk(port, name, ms, journal, b"PING\r\n", b"+PONG", b"QUIT\r\n")


async def _postgres(port: int, name: str, ms: float, journal: Path) -> Answer:
    """
    Hold one session of PostgreSQL.
    """
    return await _talk(port, name, ms, journal, _STARTUP, b"R", _TERMINATE)


_PROTOCOLS: dict[str, _Perform] = {"http": _http, "redis": _redis, "postgres": _postgres}


async def _one(protocol: str, port: int, name: str, ms: float, journal: Path) -> Answer:
    """
    Perform one request, whatever becomes of it.
    """
    began = time.time()
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _PROTOCOLS[protocol](port, name, ms, journal)
    except (OSError, TimeoutError, ValueError, IndexError):
        return Answer(name, began, time.time(), 0)


async def burst(
    protocol: str, port: int, names: Sequence[str], ms: float, journal: Path
) -> list[Answer]:
    """
    Send these requests at once.
    """
    return await asyncio.gather(*(_one(protocol, port, name, ms, journal) for name in names))


async def crowd(
    protocol: str, port: int, clients: int, seconds: float, prefix: str, journal: Path
) -> list[Answer]:
    """
    Have clients send one request after the other, each of which takes 20 to 60 ms.

    @param prefix: of the names of requests.
    """
    answers: list[Answer] = []
    end = time.monotonic() + seconds
    choices = random.Random(clients)

    async def client(number: int) -> None:
        count = 0
        while time.monotonic() < end:
            name, ms = f"{prefix}-{number}-{count}", choices.uniform(20, 60)
            answers.append(await _one(protocol, port, name, ms, journal))
            count += 1

    await asyncio.gather(*map(client, range(clients)))
    return answers


async def sequence(port: int, clients: int, number: int, ms: float, journal: Path) -> list[Answer]:
    """
    Have clients send this number of POSTs, each client one after the other.
    """
    left = iter(range(number))
    answers: list[Answer] = []

    async def client() -> None:
        for each in left:
            answers.append(await _one("http", port, f"post-{each}", ms, journal))

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


class Sampler:
    """
    Counts the requests that an app has taken up and not answered: the connections that it has
    accepted, whose bytes it has read, and on which the last bytes came from the edge.

    @ivar counts: the time of each look, and what it found.
    """

    def __init__(self, port: int) -> None:
        """
        @param port: the port of the app.
        """
        self._command = ["ss", "-tnieHO", "state", "established", "sport", "=", f":{port}"]
        self.counts: list[tuple[float, int]] = []
        self._task = asyncio.create_task(self._look())

    def stop(self) -> None:
        """
        Look no more.
        """
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            shown = await asyncio.to_thread(check_output, self._command, text=True)
            self.counts.append((time.time(), sum(map(_isAtWork, shown.splitlines()))))
            await asyncio.sleep(_LOOK)


def _isAtWork(line: str) -> bool:
    """
    Look at what C{ss} shows of a connection: how many bytes were not read, the inode (none before
    the connection is accepted), and how many milliseconds ago bytes were last sent and received.
    """
    times = dict(part.split(":", 1) for part in line.split() if part.startswith("last"))
    sent, received = int(times.get("lastsnd", 0)), int(times.get("lastrcv", 0))
    return line.split()[0] == "0" and " ino:" in line and received <= sent


def withdrawn() -> int:
    """
    @return: how many connections were reset by their own side so far, in this network namespace.
    """
    lines = Path("/proc/self/net/netstat").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        found = dict(zip(names.split(), values.split(), strict=True))
        if "TCPAbortOnData" in found:
            return int(found["TCPAbortOnData"])
    return 0
