"""
The work of the apps in Python, and their journal of it.

C{POST /ID?ms=400} takes 400 ms. The journal, the file C{JOURNAL}, gets a line when a request
begins and one when it ends. The apps in other languages do the same.
"""

from __future__ import annotations

import os
import time


class Work:
    """
    The work on one request.

    @ivar seconds: how long it takes.
    """

    _journal = os.open(
        os.environ.get("JOURNAL", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666
    )

    def __init__(self, path: str, query: str) -> None:
        """
        @param path: the path of the request: a slash, and the request's id.
        """
        self._id = path.strip("/")
        self.seconds = float(query.partition("ms=")[2] or 0) / 1000

    def note(self, sign: str) -> None:
        """
        @param sign: C{+} as the work begins, C{-} as it ends.
        """
        if self._id:
            os.write(self._journal, f"{sign} {self._id} {time.time():.6f}\n".encode())

    def perform(self) -> bytes:
        """
        Do it, and block the thread meanwhile.

        @return: the body of the response: the id of the process.
        """
        self.note("+")
        time.sleep(self.seconds)
        self.note("-")
        return self.body()

    def body(self) -> bytes:
        """
        @return: the id of the process, which tells instances apart.
        """
        return b"%d\n" % os.getpid()
