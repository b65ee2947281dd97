"""
Settings of an edge: how much clients may use, and how long things may take.
"""

from __future__ import annotations

from attrs import evolve

from brxy.program.fields import POSITIVE, SECONDS, Setting, atLeastOne, count, size

__all__ = ["LIMITS", "TIMEOUTS"]

_LIMITS = "Limits"
_TIMEOUTS = "Timeouts"

_NO_LIMIT = "no limit"
_LIMITED_SECONDS = evolve(SECONDS, zero=_NO_LIMIT)

_ONE_ADDRESS = "One address is an IPv4 address or an IPv6 network of 64 bits (/64)."
_BY_ADDRESS = ":ref:`limits-by-address`"
_LIMITS_PAGE = ":doc:`limits`"

LIMITS = (
    Setting(
        name="max-connections",
        group=_LIMITS,
        kind=atLeastOne("clients"),
        help="How many clients are connected at once, on all ports together.",
        field="limits.max_connections",
        default_note="as many as the limit of open files allows",
        client="nothing; it waits until the edge accepts its connection.",
        detail="""
        The edge accepts fewer clients if its limit of open files (``ulimit -n``, ``LimitNOFILE=``)
        does not suffice: it reserves some descriptors for each instance of ``--max-total``.
        """,
        see=":ref:`descriptors`",
    ),
    Setting(
        name="max-connections-per-address",
        group=_LIMITS,
        kind=count("clients", _NO_LIMIT),
        help="How many clients of one address are connected at once.",
        field="limits.max_connections_per_address",
        default="0",
        client="its connection is reset.",
        detail=_ONE_ADDRESS,
        see=_BY_ADDRESS,
    ),
    Setting(
        name="max-held",
        group=_LIMITS,
        kind=count("clients"),
        help="How many clients may be held for one route, until an instance is free.",
        field="limits.max_held",
        default="1000",
        client="503 with ``Retry-After: 1``, at once.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="max-held-total",
        group=_LIMITS,
        kind=atLeastOne("clients"),
        help="How many clients may be held for all routes together.",
        field="limits.max_held_total",
        default_note="10000, or --max-held if that is more",
        client="503 with ``Retry-After: 1``, at once.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="max-held-per-address",
        group=_LIMITS,
        kind=count("clients", _NO_LIMIT),
        help="How many clients of one address may be held.",
        field="limits.max_held_per_address",
        default="0",
        client="429 with ``Retry-After: 1``, at once.",
        detail=_ONE_ADDRESS,
        see=_BY_ADDRESS,
    ),
    Setting(
        name="max-routes",
        group=_LIMITS,
        kind=count("routes", _NO_LIMIT),
        help="How many routes the edge keeps in memory.",
        field="limits.max_routes",
        default="10000",
        client="503 with ``Retry-After: 10``, if its request needs one more.",
        detail="""
        Requests for configured routes (see ``--wake-burst``) are served beyond this limit, too.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="wake-burst",
        group=_LIMITS,
        kind=atLeastOne("routes"),
        help="How many routes without an instance one address may wake at once.",
        field="limits.wake_burst",
        default="20",
        client="429 with ``Retry-After``.",
        detail="""
        A request wakes a route if the route has no instance and the edge orders one. Configured
        routes do not count: those of ``--route``, ``--default-route``, ``--tcp`` or a ``route=``
        without ``*``. One address is an IPv4 address or an IPv6 network of 64 bits (/64).
        ``--wake-rate`` says how many more routes the address may wake later.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="wake-rate",
        group=_LIMITS,
        kind=count("routes per minute", _NO_LIMIT),
        help="How many routes beyond --wake-burst one address may wake per minute.",
        field="limits.wake_rate",
        default="6",
        client="429 with ``Retry-After``.",
        detail="With ``0`` the edge ignores ``--wake-burst``, too.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="max-body",
        group=_LIMITS,
        kind=size(_NO_LIMIT),
        help="How large the body of a request may be.",
        field="limits.max_body",
        default="0",
        client="413, and its connection is closed.",
        detail="In a chunked body the framing of the chunks counts, too.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="request-buffer",
        group=_LIMITS,
        kind=size("no body is collected"),
        help="How large a request body the edge collects before the request uses an instance.",
        field="limits.request_buffer",
        default="64K",
        client="nothing; the edge passes a larger body on while it comes.",
        detail="""
        A request whose body is collected waits for an instance only when the body is complete. So
        a client that sends slowly holds no instance, and the edge starts none for it. The edge
        answers ``Expect: 100-continue`` for these bodies. A body of unknown length
        (``Transfer-Encoding: chunked``) is collected up to this size, and passed on from then on;
        the framing of its chunks counts, too. The bodies of requests with ``Upgrade`` are not
        collected.
        """,
        see=":ref:`slow-clients`",
    ),
    Setting(
        name="request-buffer-total",
        group=_LIMITS,
        kind=size(),
        help="How many bytes of collected request bodies the edge keeps at once.",
        field="limits.request_buffer_total",
        default="64M",
        client="nothing; the edge passes its body on while it comes.",
        detail="Only bytes that have come count. See ``--request-buffer``.",
        see=":ref:`slow-clients`",
    ),
    Setting(
        name="response-buffer",
        group=_LIMITS,
        kind=size("as little as possible while many clients are slow"),
        help="How much of a response the edge takes from the app before the client takes it.",
        field="limits.response_buffer",
        default="64K",
        client="nothing; its response comes as fast as it reads.",
        detail="""
        These bytes are beyond those that the kernel keeps for the client. A response that fits
        frees its instance while the client still reads. With ``--transport reactor`` it is always
        64K.
        """,
        see=":ref:`slow-clients`",
    ),
    Setting(
        name="response-buffer-total",
        group=_LIMITS,
        kind=size(),
        help="How many bytes of responses the edge keeps at once that clients have not taken.",
        field="limits.response_buffer_total",
        default="64M",
        client="nothing; its response comes as fast as it reads.",
        detail="""
        Beyond that, the edge takes from the apps only what clients can take at once. See
        ``--response-buffer``.
        """,
        see=":ref:`slow-clients`",
    ),
    Setting(
        name="max-requests",
        group=_LIMITS,
        kind=count("requests", _NO_LIMIT),
        help="How many requests are served on one connection.",
        field="limits.max_requests",
        default="0",
        client="``Connection: close`` in the last response.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="retries",
        group=_LIMITS,
        kind=count("times"),
        help="How often a lost exchange is offered to an instance again.",
        field="retries",
        default="3",
        client="502 when the exchange is lost again after the last retry.",
        detail="""
        An exchange is lost when its app or its node dies. An exchange that an app may have acted
        on is offered again only if that is safe.
        """,
        see=":ref:`promises`",
    ),
)

TIMEOUTS = (
    Setting(
        name="hold-timeout",
        group=_TIMEOUTS,
        kind=SECONDS,
        help="How long a client is held while no instance is free.",
        field="hold_timeout",
        default="60",
        client="503 with ``Retry-After: 1``.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="response-timeout",
        group=_TIMEOUTS,
        kind=SECONDS,
        help="How long an app may take to begin its response.",
        field="response_timeout",
        default_note=_NO_LIMIT,
        client="504.",
        detail="""
        The time counts from when the app has accepted the connection for the request. So it
        includes the upload of the body.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="head-timeout",
        group=_TIMEOUTS,
        kind=POSITIVE,
        help="How long the head of a request may take, from its first byte.",
        field="limits.head_timeout",
        default="15",
        client="408, and its connection is closed.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="keep-alive-timeout",
        group=_TIMEOUTS,
        kind=_LIMITED_SECONDS,
        help="How long a client may stay connected without sending a request.",
        field="limits.keep_alive_timeout",
        default="75",
        client="its connection is closed.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="body-timeout",
        group=_TIMEOUTS,
        kind=_LIMITED_SECONDS,
        help="The time over which the pace of a request body is measured.",
        field="limits.body_timeout",
        default="30",
        client="408, and its connection is closed; a reset if its response has begun.",
        detail="""
        While the edge waits for a request body, at least 20 bytes per second must arrive, on
        average over this time (with 30 s: 600 bytes). Clients on Unix sockets are not timed.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="write-timeout",
        group=_TIMEOUTS,
        kind=_LIMITED_SECONDS,
        help="The time over which the pace is measured at which a client reads its response.",
        field="limits.write_timeout",
        default="60",
        client="its connection is reset.",
        detail="""
        While a response is ready to be sent, the client must accept at least 20 bytes per second,
        on average over this time (with 60 s: 1,200 bytes). Clients on Unix sockets are not timed.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="tunnel-timeout",
        group=_TIMEOUTS,
        kind=_LIMITED_SECONDS,
        help="How long a TCP or upgraded connection may carry no data.",
        field="limits.tunnel_timeout",
        default="0",
        client="its connection is closed.",
        detail="A connection is upgraded for a WebSocket, for example.",
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="stream-idle-timeout",
        group=_TIMEOUTS,
        kind=_LIMITED_SECONDS,
        help="How long no byte may pass in either direction while an app is at work on a request.",
        field="limits.stream_idle_timeout",
        default="0",
        client="504 if its response has not begun; else its connection is reset.",
        detail="""
        The app's connection is closed. This ends silent event streams, too, unless their app sends
        a comment now and then. Clients on Unix sockets are not timed.
        """,
        see=_LIMITS_PAGE,
    ),
    Setting(
        name="tcp-keepalive",
        group=_TIMEOUTS,
        kind=evolve(SECONDS, zero="no probes"),
        help="After how many seconds of silence the kernel probes whether a client is there.",
        field="limits.tcp_keepalive",
        default="60",
        client="nothing, since it has vanished; its request is aborted.",
        detail="""
        A client that answers none of three probes has vanished: the edge knows after twice this
        time. It is ``TCP_KEEPIDLE`` of tcp(7), a third of it is ``TCP_KEEPINTVL``, and
        ``TCP_KEEPCNT`` is 3. This holds on all ports for clients. If bytes for the client are
        under way, the kernel sends no probes; the edge then gives up on a client that has
        acknowledged nothing for twice this time. Links to nodes have times of their own.
        """,
        see=_LIMITS_PAGE,
    ),
)
