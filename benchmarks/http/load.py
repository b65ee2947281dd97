"""
The requests that the clients of the benchmark send.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["BULK_PATH", "FRESH_PATH", "LOADS", "Load"]

BULK_PATH = "/bulk"
FRESH_PATH = "/fresh"

# Header fields as a browser sends them.
_FIELDS = (
    "Host: localhost",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
    "Cache-Control: max-age=0",
)


@frozen
class Load:
    """
    The behaviour of the clients.

    @ivar title: its name in tables and plots.
    @ivar connections: the number of connections at once, each with one request
        after the other.
    @ivar keep: whether connections are kept, instead of one for each request.
    @ivar body: bytes of the request's body.
    @ivar fresh: whether a field of each request, and one of each response,
        differ from those before.
    """

    name: str
    title: str
    connections: int
    method: str = "GET"
    keep: bool = True
    path: str = "/"
    body: int = 0
    fresh: bool = False

    @property
    def bulk(self) -> bool:
        """
        Whether bytes are counted instead of requests.
        """
        return self.path == BULK_PATH

    def request(self) -> list[str]:
        """
        The bytes of a request, except a number in it that should be different
        each time.

        @return: the bytes before the number, and those after it; with one more
            part in between if the number occurs twice.
        """
        fields = [*_FIELDS, "Connection: " + ("keep-alive" if self.keep else "close")]
        if self.body:
            fields.append(f"Content-Length: {self.body}")
        head = "\r\n".join(["", *fields, "", ""])
        parts = [f"{self.method} {self.path}?n=", f" HTTP/1.1{head}" + "x" * self.body]
        if self.fresh:
            before, cookie, after = parts[1].partition("session=")
            parts[1:] = [before + cookie, after]
        return parts


LOADS = {
    load.name: load
    for load in (
        Load("c1", "1 connection", 1),
        Load("c16", "16 connections", 16),
        Load("c128", "128 connections", 128),
        Load("fresh", "16, no two heads alike", 16, path=FRESH_PATH, fresh=True),
        Load("close", "16, a new one for each request", 16, keep=False),
        Load("post", "16, POST of 10 KB", 16, method="POST", body=10_000),
        Load("bulk", "4, responses of 32 MiB", 4, path=BULK_PATH),
    )
}
