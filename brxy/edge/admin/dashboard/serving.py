"""
The part of the admin API that serves the dashboard.

The page itself has no data of the edge and needs no token.  Its script requests the data as any
other client of the API does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from brxy.edge.admin.messages import Request, Response
from brxy.edge.admin.table import Endpoint
from brxy.errors import BadRequest

__all__ = ["Dashboard"]

_FOLDER = "page"
_PAGE = "index.html"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The page loads and requests nothing from elsewhere, and no other site can embed it.  Its script
# can't make elements from text, in which an app or a client may have put some.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_SAFE = (
    ("Content-Security-Policy", _POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)


class Dashboard:
    """
    The handlers.
    """

    def __init__(self) -> None:
        # Read now: when brxy is upgraded, a running edge serves the page of its own version.
        self._files = _read()

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("GET", "/", self.page, is_open=True),
            Endpoint("GET", "/dashboard/{file}", self.file, is_open=True),
        ]

    def page(self, request: Request) -> Response:
        """
        The page.
        """
        return self._files[_PAGE]

    def file(self, request: Request) -> Response:
        """
        A file that the page consists of.
        """
        found = self._files.get(request.parts["file"])
        if found is None:
            raise BadRequest(404, "the dashboard has no such file")
        return found


def _read() -> Mapping[str, Response]:
    """
    @return: the files, by name.
    """
    found = {}
    for each in files(__package__).joinpath(_FOLDER).iterdir():
        kind = _TYPES.get(each.name[each.name.rfind(".") :])
        if kind is not None:
            found[each.name] = Response(each.read_bytes(), kind, fields=_SAFE)
    return found
