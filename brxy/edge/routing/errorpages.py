"""
Pages of an operator's own, in place of the text of the edge's errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from brxy.errors import UsageError
from brxy.http.fields import Field, listMembers, valuesOf

__all__ = ["MOST", "NO_PAGES", "ErrorPages", "acceptsHTML", "errorPages"]

#: The bytes of a page, at most.
MOST = 64 * 1024

_NAME = re.compile(r"([45][0-9]{2})\.html")
_REFUSED = re.compile(rb"q=0(?:\.0*)?")


class ErrorPages:
    """
    The pages in a folder: C{404.html} is for errors with status 404.
    """

    def __init__(self, folder: str = "", pages: Mapping[int, bytes] | None = None) -> None:
        """
        @param pages: those of the folder, by their statuses.
        """
        self._folder = folder
        self._pages = pages or {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ErrorPages):
            return NotImplemented
        return (self._folder, self._pages) == (other._folder, other._pages)

    def __str__(self) -> str:
        """
        The folder, as the configuration is shown.
        """
        return self._folder

    __hash__ = None  # type: ignore[assignment]

    def get(self, status: int) -> bytes | None:
        """
        @return: the page for an error; L{None} if there is none.
        """
        return self._pages.get(status)

    def reload(self) -> None:
        """
        Read the folder again.

        @raise UsageError: it can't be used: the pages stay as they are.
        """
        if self._folder:
            try:
                self._pages = _pagesIn(self._folder)
            except ValueError as error:
                raise UsageError(f"--error-pages {self._folder}: {error}") from None


#: The pages of an edge without any.
NO_PAGES = ErrorPages()


def errorPages(folder: str) -> ErrorPages:
    """
    Convert the path of a folder.

    @raise ValueError: it has no pages, or one that can't be used.
    """
    return ErrorPages(folder, _pagesIn(folder))


def _pagesIn(folder: str) -> Mapping[int, bytes]:
    try:
        names = os.listdir(folder)
        found = {
            int(match[1]): _page(os.path.join(folder, match[0]))
            for match in map(_NAME.fullmatch, sorted(names))
            if match
        }
    except OSError as error:
        # Of a page that can't be read, the name matters.
        where = os.path.basename(error.filename or "") if error.filename != folder else ""
        reason = f"{where}: {error.strerror}" if where else error.strerror
        raise ValueError(f"a folder with pages such as 404.html is needed: {reason}") from None
    if not found:
        raise ValueError("a folder with pages such as 404.html is needed: it has none")
    return found


def _page(path: str) -> bytes:
    with open(path, "rb") as file:
        page = file.read(MOST + 1)
    name = os.path.basename(path)
    if len(page) > MOST:
        raise ValueError(f"{name} has more than {MOST >> 10} KiB")
    try:
        page.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None
    return page


def acceptsHTML(fields: Sequence[Field]) -> bool:
    """
    Whether a client names HTML as what it accepts, as a browser does that navigates.  One that
    accepts anything gets text.

    @param fields: those of its request.
    """
    for member in listMembers(valuesOf(fields, b"accept")):
        media, *parameters = (each.strip(b" \t") for each in member.split(b";"))
        if media in (b"text/html", b"application/xhtml+xml"):
            return not any(map(_REFUSED.fullmatch, parameters))
    return False
