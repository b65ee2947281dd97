"""
Configurations as bytes, for another process.

Each route is a frame of its own.  So a configuration is read in short steps, and of a route
that is as it was, nothing has to be made again.
"""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterator, Mapping
from struct import Struct
from typing import Any

from attrs import frozen

from brxy import __version__
from brxy.edge.config.files.configuration import Configuration, FilePart, FileRoute
from brxy.errors import UsageError

__all__ = ["OtherVersion", "Received", "decode", "encode", "encodeError", "remember"]

_LENGTH = Struct("!I")


class OtherVersion(Exception):
    """
    The other process runs another brxy, whose version this is.
    """


@frozen
class Received:
    """
    A configuration that has come from another process, or may come again.

    @ivar frames: its routes, by what was received.
    """

    configuration: Configuration
    frames: Mapping[bytes, FileRoute]


def remember(configuration: Configuration) -> Received:
    """
    @return: this configuration, so that it is not made again if it comes from another process.
    """
    return Received(configuration, {_pickled(each): each for each in configuration.routes()})


def encode(configuration: Configuration) -> Iterator[bytes]:
    """
    @return: the bytes of a configuration.
    """
    yield _frame(__version__)
    yield _frame((configuration.values, configuration.places))
    for part in configuration.parts:
        yield _frame((part.file, part.faults, len(part.routes)))
        yield from map(_frame, part.routes)


def encodeError(message: str) -> bytes:
    """
    @return: the bytes that stand for a configuration which can't be used at all.
    """
    return _frame(__version__) + _frame(message)


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _frame(value: Any) -> bytes:
    data = _pickled(value)
    return _LENGTH.pack(len(data)) + data


def decode(data: bytes, before: Received) -> Generator[None, None, Received]:
    """
    Read a configuration, in steps.

    @param data: of a process of ours, which is as trustworthy as this one.
    @param before: what holds now.
    @raise OtherVersion: what was received may mean something else.
    @raise UsageError: it is an error.
    """
    frames = _frames(data)
    version = pickle.loads(next(frames))
    if version != __version__:
        raise OtherVersion(version)
    head = pickle.loads(next(frames))
    if isinstance(head, str):
        raise UsageError(head)
    values, places = head
    parts: list[FilePart] = []
    received: dict[bytes, FileRoute] = {}
    for head in frames:
        file, faults, number = pickle.loads(head)
        routes: list[FileRoute] = []
        for _ in range(number):
            frame = next(frames)
            route = before.frames.get(frame)
            received[frame] = route = pickle.loads(frame) if route is None else route
            routes.append(route)
            yield
        parts.append(FilePart(file, tuple(routes), faults))
        yield
    return Received(Configuration(values, tuple(parts), places), received)


def _frames(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        begin = at + _LENGTH.size
        at = begin + _LENGTH.unpack_from(data, at)[0]
        yield data[begin:at]
