"""
Reads and creates the file with the token that an edge and its nodes share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from secrets import token_urlsafe

from brxy.errors import UsageError

__all__ = ["isToken", "makeToken", "readToken", "readTokens"]


def isToken(text: str) -> bool:
    """
    Whether a node can use this text as its token.
    """
    return text.isascii() and text.isprintable() and 1 <= len(text) <= 255


def makeToken(path: str, option: str = "--token-file") -> None:
    """
    Create a file with a new token, which only the user of this process can read.  A file
    that exists is left as it is.

    @param option: what names the file.
    @raise UsageError: the file can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token_urlsafe(32) + "\n")
    except FileExistsError:
        return
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}") from None


def readToken(path: str, option: str = "--token-file") -> str:
    """
    The token in a file: its first line.

    @param option: what names the file.
    @raise UsageError: the file can't be read, or its first line is not a token.
    """
    return readTokens(path, option)[0]


def readTokens(path: str, option: str = "--token-file") -> Sequence[str]:
    """
    The tokens in a file: its first line, and the second one if there is one, which is the token
    that the first one replaces.

    @param option: what names the file.
    @raise UsageError: the file can't be read, or one of these lines is not a token.
    """
    try:
        with open(path, encoding="ascii") as file:
            tokens = [file.readline(1024).strip(), file.readline(1024).strip()]
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not ASCII"
        raise UsageError(f"{option} {path}: {why}") from None
    if not tokens[1]:
        del tokens[1]
    for line, token in zip(("first", "second"), tokens, strict=False):
        if not isToken(token):
            raise UsageError(f"{option} {path}: its {line} line is not a token")
    return tokens
