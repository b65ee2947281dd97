"""
The commands of C{brxy} that ask a running edge or have it do something.
"""

from __future__ import annotations

from brxy.ctl.table import Argument, Command

__all__ = ["ASKING", "WHERE"]

_SHOW = "A running edge"
_DO = "Routes of a running edge"

#: How the edge is found, and how the answer is printed.
WHERE = (
    Argument(
        "--socket",
        "The Unix socket of the edge's admin API, or the state folder where it is.",
        takes="PATH",
        completes="file",
    ),
    Argument("--url", "The URL of the admin API, if it is on TCP.", takes="URL"),
    Argument(
        "--token-file",
        "The file whose first line is the token, for --url.",
        takes="FILE",
        completes="file",
    ),
    Argument("--json", "Print the answer as JSON, for programs."),
)

_FOUND = """
The edge is found by --socket or --url, or by the variable BRXY_ADMIN, which has the path of a
socket or of a state folder, or a URL. Otherwise it is the one whose state folder is
/var/lib/brxy, or /var/lib/brxy-edge as in the systemd unit.
"""

_HOST = Argument("HOST", "The route.", completes="route")
_STATES = ("ready", "starting", "draining", "held", "failing", "asleep", "paused", "stopped")
_NO_WAIT = Argument("--no-wait", "Do not wait until it is done.")
_TIMEOUT = Argument("--timeout", "Wait for this long at most, such as 90s.", takes="TIME")


def _show(name: str, help: str, *arguments: Argument) -> Command:
    run = f"brxy.ctl.asking.showing:{name}"
    return Command(name, _SHOW, help, run, (*arguments, *WHERE), _FOUND)


def _do(name: str, help: str, *arguments: Argument, detail: str = "") -> Command:
    run = f"brxy.ctl.asking.doing:{name}"
    return Command(name, _DO, help, run, (_HOST, *arguments, *WHERE), detail)


ASKING = (
    _show("status", "Show the edge as a whole, and the routes that need attention."),
    Command(
        "top",
        _SHOW,
        "Show the edge and its busiest routes, anew each second.",
        "brxy.ctl.asking.top:top",
        WHERE,
        "The key q quits.",
    ),
    Command(
        "dashboard",
        _SHOW,
        "Show the edge in a browser.",
        "brxy.ctl.dashboard.serving:dashboard",
        (
            Argument("--port", "The port of the page; by default any that is free.", takes="PORT"),
            *(each for each in WHERE if each.name != "--json"),
        ),
        """
        It listens on this machine only, prints the URL of the page, and passes requests on to
        the admin API until Ctrl-C ends it. The URL has a token, by which any program on this
        machine can do all that the page can.
        """,
    ),
    _show(
        "routes",
        "List the routes.",
        Argument(
            "HOST",
            "Only this route, or those of a pattern such as *.example.com.",
            optional=True,
            completes="route",
        ),
        Argument("--state", "Only those in this state.", takes="STATE", choices=_STATES),
        Argument("--names", "Print only their names, one a line."),
    ),
    _show(
        "instances",
        "List the instances.",
        Argument("TICKET", "Only the instance with this ticket.", optional=True),
        Argument(
            "--route",
            "Only those of this route, or of a pattern such as *.example.com.",
            takes="HOST",
            completes="route",
        ),
        Argument(
            "--state",
            "Only those in this state.",
            takes="STATE",
            choices=("ordered", "connected", "ready", "draining"),
        ),
    ),
    _show(
        "events",
        "Print what happened last.",
        Argument("--follow", "Go on, with what happens from now on.", "f"),
        Argument("--route", "Only what happens to this route.", takes="HOST", completes="route"),
    ),
    _show(
        "logs",
        "Print what the instances of a route have printed last.",
        Argument("ROUTE", "The route.", completes="route"),
        Argument("--follow", "Go on, with what they print from now on.", "f"),
        Argument("--instance", "Only the instance with this ticket.", takes="TICKET"),
        Argument(
            "--lines", "At most this number of lines; otherwise all that are kept.", "n", "N"
        ),
    ),
    Command(
        "config",
        _SHOW,
        "Print the configuration of the edge, or what a reload would change.",
        "brxy.ctl.asking.configuring:config",
        (
            Argument(
                "FILE",
                "With --diff: compare with this file, in place of the edge's own.",
                optional=True,
                completes="file",
            ),
            Argument("--diff", "Print what a reload would change. Nothing is changed."),
            *WHERE,
        ),
        _FOUND,
    ),
    _show("certs", "List the certificates for clients, and say when they expire."),
    _do(
        "wake",
        "Start an instance of a route.",
        Argument("--for", "Keep it for this long, such as 10m; by default 5m.", takes="TIME"),
        Argument("--min", "Have this number of instances run, in place of 1.", takes="N"),
        Argument("--wait", "Wait until they are ready."),
        _TIMEOUT,
        detail="With --wait it is a check after a deployment: the exit status is 1 if the app "
        "does not start.",
    ),
    _do("roll", "Replace the instances of a route by new ones.", _NO_WAIT, _TIMEOUT),
    _do(
        "drain",
        "Let the instances of a route finish their requests, and end them.",
        _NO_WAIT,
        _TIMEOUT,
    ),
    _do(
        "pause",
        "Hold the requests of a route, and wait until those in flight are done.",
        Argument("--max", "Resume by itself after this time; by default 30s.", takes="TIME"),
        _NO_WAIT,
    ),
    _do("resume", "Serve a route again that was paused or stopped."),
    _do(
        "stop",
        "Answer the requests of a route with a message, and wait until those in flight are done.",
        Argument("--message", "The text that clients get with status 503.", takes="TEXT"),
        _NO_WAIT,
        _TIMEOUT,
    ),
    Command(
        "reload",
        _SHOW,
        "Have the edge read its configuration, certificates and tokens again.",
        "brxy.ctl.asking.doing:reload",
        WHERE,
        "What cannot be used stays as it was, and is printed; the exit status is 1 then.",
    ),
    Command(
        "upgrade",
        _SHOW,
        "Have the version that is installed now take the place of the edge, without a gap.",
        "brxy.ctl.asking.doing:upgrade",
        WHERE,
        "The new edge checks its configuration first; if it cannot take over, the exit status is "
        "1, and nothing has changed. The former one serves what it has, and ends.",
    ),
)
