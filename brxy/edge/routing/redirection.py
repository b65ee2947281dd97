"""
Where a route redirects its clients.

Pure: text and bytes in, bytes out.
"""

from __future__ import annotations

import re

from attrs import frozen

from brxy.errors import BadRequest
from brxy.http.messages import RequestHead
from brxy.values.routename import routeName

__all__ = ["Redirection", "redirectCode", "redirection"]

_CODES = (301, 302, 303, 307, 308)

# {path} may not begin the target or follow its first slash: a path such as //other.example would
# lead to another site.
_TEMPLATE = re.compile(
    r"(?:https?://(?:[A-Za-z0-9._-]|\{host\})+(?::[0-9]{1,5})?(?:(?=[/?{])(?!\{host\})|$)"
    r"|/(?:$|[A-Za-z0-9._~?-]))"
    r"(?:[A-Za-z0-9._~@:!$&'()*+,;=/?%#-]|\{(?:host|path|query)\})*"
)

_PLACE = re.compile(r"\{(host|path|query)\}")


@frozen
class Redirection:
    """
    A target with places for parts of the request.

    @ivar template: an absolute URL, or a path, with C{{host}}, C{{path}} and C{{query}}; an URL
        that begins with C{//} has the scheme of the request.
    """

    template: str

    def location(self, head: RequestHead, scheme: bytes, target: bytes) -> bytes:
        """
        The value of Location.

        @param scheme: of the request.
        @param target: of the request, without a prefix that is stripped.
        @raise BadRequest: the request has no host, and the template needs one.
        """
        if "{host}" in self.template and not head.host:
            raise BadRequest(400, "no Host")
        path, mark, query = target.decode("latin-1").partition("?")
        parts = {
            "host": head.host,
            "path": path if path.startswith("/") else "/",
            "query": mark + query,
        }
        found = _PLACE.sub(lambda place: parts[place[1]], self.template).encode("latin-1")
        return b"%b:%b" % (scheme, found) if found.startswith(b"//") else found


def redirection(text: str) -> Redirection:
    """
    Convert a host, or a template of an URL or path.

    @raise ValueError: it is neither.
    """
    if "/" not in text and "{" not in text and routeName(text) is not None:
        return Redirection(f"//{text}{{path}}{{query}}")
    if not _TEMPLATE.fullmatch(text):
        raise ValueError(
            "a host is needed, or an URL such as https://example.com{path}{query} with the parts "
            "{host}, {path} and {query} of the request"
        )
    return Redirection(text)


def redirectCode(text: str) -> int:
    """
    Convert the status of a redirect.

    @raise ValueError: it is none.
    """
    if text not in map(str, _CODES):
        raise ValueError("301, 302, 303, 307 or 308 is needed")
    return int(text)
