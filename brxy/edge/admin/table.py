"""
Which handler answers a request of the admin API.

Pure: a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from attrs import frozen

from brxy.edge.admin.messages import Handler
from brxy.errors import BadRequest

__all__ = ["Endpoint", "NotAllowed", "Table"]

_PART = re.compile(r"\{(\w+)\}")


class NotAllowed(BadRequest):
    """
    The path has no handler for the method.

    @ivar methods: those that it has.
    """

    def __init__(self, methods: Iterable[str]) -> None:
        self.methods = sorted(methods)
        super().__init__(405, f"the methods here are {', '.join(self.methods)}")


@frozen
class Endpoint:
    """
    One entry: a method and a path, and what answers them.

    @ivar pattern: the path; C{{name}} stands for one part of it.
    @ivar is_open: it needs no token.
    """

    method: str
    pattern: str
    handler: Handler
    is_open: bool = False


class Table:
    """
    All handlers.

    @ivar endpoints: the entries.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._rows = [(_compiled(each.pattern), each) for each in self.endpoints]

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """
        @param method: C{HEAD} is answered as C{GET} is.
        @param path: as it was sent.
        @return: the entry for a request, and the parts of its path.
        @raise BadRequest: there is none.
        """
        wanted = "GET" if method == "HEAD" else method
        methods = set()
        for pattern, endpoint in self._rows:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if endpoint.method == wanted:
                parts = {name: unquote(text) for name, text in match.groupdict().items()}
                return endpoint, parts
            methods.add(endpoint.method)
        if methods:
            raise NotAllowed(methods)
        raise BadRequest(404, "there is nothing at this path")


def _compiled(pattern: str) -> re.Pattern[str]:
    texts = _PART.split(pattern)
    # Every second one is the name of a part.
    pieces = [
        f"(?P<{text}>[^/]+)" if number % 2 else re.escape(text)
        for number, text in enumerate(texts)
    ]
    return re.compile("".join(pieces))
