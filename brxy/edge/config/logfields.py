"""
Settings of an edge: what it writes about the exchanges of its clients.
"""

from __future__ import annotations

from brxy.program.fields import FLAG, FOLDER, Kind, Setting

__all__ = ["LOGS"]

_LOGS = "Access log and receipts"


def _destination(text: str) -> str | None:
    return text or None


def _format(text: str) -> str:
    if text not in ("json", "combined"):
        raise ValueError("json or combined is needed")
    return text


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1 is needed")
    return value


LOGS = (
    Setting(
        name="access-log",
        group=_LOGS,
        kind=Kind("FILE", _destination, "a file, or ``-`` for standard output"),
        help="Write one line for each request and each TCP connection to this file.",
        field="access_log",
        default_note="off",
        client="``X-Request-ID`` in each response, as with :option:`--request-id`.",
        detail="""
        A line is written when its exchange has ended. A file of ten megabytes is renamed to
        ``FILE.1`` and so on, and ten of those are kept; SIGUSR1 begins a new file. If the disk is
        too slow, or full, lines are dropped, and the log says how many.
        """,
        see=":ref:`access-log`",
    ),
    Setting(
        name="access-log-format",
        group=_LOGS,
        kind=Kind("json|combined", _format, "``json`` or ``combined``"),
        help="One JSON object a line, or the combined format of Apache and nginx.",
        field="access_log_format",
        default="json",
        see=":ref:`access-log`",
    ),
    Setting(
        name="access-log-sample",
        group=_LOGS,
        kind=Kind("SHARE", _share, "a number from 0 to 1"),
        help="The share of exchanges that the access log has, such as 0.01 for one in a hundred.",
        field="access_log_sample",
        default="1",
        detail="The log always has failures, responses of 500 and above, and cold starts.",
        see=":ref:`access-log`",
    ),
    Setting(
        name="app-log-dir",
        group=_LOGS,
        kind=FOLDER,
        help="Write what instances print to files in this folder, one for each route.",
        field="app_log_dir",
        default_note="it is in the edge's own log",
        detail="""
        The folder is made if it is not there. The lines are those of the edge's log, in its
        :option:`--log-format`, and stand in ``ROUTE.log`` instead. A file takes eleven megabytes
        at most, with those that it was renamed to; SIGUSR1 begins new files.
        """,
        see=":ref:`app-logs`",
    ),
    Setting(
        name="request-id",
        group=_LOGS,
        kind=FLAG,
        help="Add the X-Request-ID of its request to each response.",
        field="request_ids",
        detail="""
        Every app gets this field with its requests: the one that the client has sent, if it is one
        field of at most 128 visible characters, else one that the edge makes. A response in which
        the app sends the field itself is left as it is.
        """,
        see=":ref:`access-log`",
    ),
    Setting(
        name="receipts",
        group=_LOGS,
        kind=FLAG,
        help="Say in each response how long its client was held, and for what.",
        field="receipts",
        client="``Server-Timing`` and ``X-Brxy-Start`` in each response.",
        detail="""
        Without this option only a proxy in :option:`--forwarded-trust` gets these fields, in the
        responses of cold starts.
        """,
        see=":ref:`receipts`",
    ),
)
