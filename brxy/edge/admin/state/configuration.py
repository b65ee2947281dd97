"""
The part of the admin API that shows the configuration, and what a reload would change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkQuery
from brxy.edge.admin.state.configview import configView, differences
from brxy.edge.admin.table import Endpoint
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.reload.changes import Changes
from brxy.edge.reload.reloader import Reloader
from brxy.errors import BadRequest, UsageError

__all__ = ["Configuration"]


class Configuration:
    """
    The handlers.
    """

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("GET", "/v1/config", self.config),
            Endpoint("GET", "/v1/config/diff", self.diff),
        ]

    def config(self, request: Request) -> Response:
        """
        The configuration that holds.
        """
        checkQuery(request, ())
        return asJSON(configView(self._reloader.settings))

    async def diff(self, request: Request) -> Response:
        """
        What a reload would change.
        """
        checkQuery(request, ("file",))
        file = request.query.get("file")
        if file and not request.is_local:
            # What is wrong with a file says what is in it.
            raise BadRequest(403, "a file can be named on a Unix socket only")
        before = self._reloader.settings
        try:
            after, changes, problems = await self._reloader.preview(file or None)
        except UsageError as error:
            return asJSON({"errors": str(error).splitlines(), "changes": []})
        shown = list(_changes(changes, before, after))
        return asJSON({"errors": list(problems), "changes": shown})


def _changes(
    changes: Changes, before: EdgeSettings, after: EdgeSettings
) -> Iterator[dict[str, Any]]:
    old, new = configView(before), configView(after)

    def change(kind: str, name: str, section: str, on_change: str | None = None) -> dict[str, Any]:
        first, last = old[section].get(name), new[section].get(name)
        if section == "edge":
            first, last = {name: first}, {name: last}
        found = list(differences(first, last)) if first and last else []
        return {"kind": kind, "name": name, "on_change": on_change, "differences": found}

    for name in changes.added:
        yield change("added", name, "spawns")
    for name in changes.removed:
        yield change("removed", name, "spawns")
    for name in changes.adjusted:
        yield change("adjusted", name, "spawns")
    for name, on_change in changes.replaced.items():
        yield change("replaced", name, "spawns", on_change.value)
    for name in changes.settings:
        yield change("set", name, "edge")
    for name in changes.restart:
        yield change("restart", name, "edge")
