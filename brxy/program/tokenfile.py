"""
The file with the token that an edge and its nodes share.
"""

from __future__ import annotations

import os
from secrets import token_urlsafe

from brxy.errors import UsageError

__all__ = ["isToken", "makeToken", "readToken"]


def isToken(text: str) -> bool:
    """
    Can a node bring this as its token?
    """
    return text.isascii() and text.isprintable() and 1 <= len(text) <= 255


def makeToken(path: str) -> None:
    """
    Write a new token that nobody but our user can read, unless the file is
    there already.

    @raise UsageError: it can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token_urlsafe(32) + "\n")
    except FileExistsError:
        return
    except OSError as error:
        raise UsageError(f"--token-file {path}: {error.strerror or error}") from None


def readToken(path: str) -> str:
    """
    The token in a file: its first line.

    @raise UsageError: it can't be read, or is no token.
    """
    try:
        with open(path, encoding="ascii") as file:
            token = file.readline(1024).strip()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not ASCII"
        raise UsageError(f"--token-file {path}: {why}") from None
    if not isToken(token):
        raise UsageError(f"--token-file {path}: its first line is no token")
    return token
