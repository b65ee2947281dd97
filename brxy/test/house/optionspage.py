"""
Makes the reference of options, C{doc/options.rst}, from the tables of
settings. C{python -m brxy.test.house.optionspage} writes the page, and the manual pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from textwrap import indent, wrap

import brxy
from brxy.edge.config.fields import FIELDS as EDGE
from brxy.node.fields import FIELDS as NODE
from brxy.program.fields import ACTION, FLAG, Setting, Table
from brxy.spawners.spec import Common, optionKeys
from brxy.test.house.manpages import manPages

__all__ = ["COMMAND", "PAGE", "pageText"]

PAGE = Path(brxy.__file__).parents[1] / "doc" / "options.rst"

#: Writes the page.
COMMAND = "python -m brxy.test.house.optionspage"

_HEAD = """
.. Made by "python -m brxy.test.house.optionspage" from the tables of settings, in
   brxy/edge/config/fields.py and brxy/node/fields.py. Change it there.

Options
=======

``twistd [options of twistd] brxy-edge [options]`` starts an edge, and ``twistd [options of
twistd] brxy-node [options] -- COMMAND`` a node. ``python -m brxy.edge`` and ``python -m
brxy.node`` are short for ``twistd -n --pidfile= brxy-edge`` and ``twistd -n --pidfile=
brxy-node``. Of the options of twistd the most useful are ``-n`` (stay in the foreground and
log to standard output), ``--logfile FILE``, ``--syslog`` and ``--pidfile FILE``. With ``-n``
no pidfile is written unless ``--pidfile`` is given.

:doc:`concepts` explains the words of this page: route, instance, exchange, hold, roll, wake.

A *time* is a number of seconds, which may be a fraction, or has units: ``90``, ``1.5``,
``250ms``, ``90s``, ``5m``, ``1h30m``, ``2d``. A *size* is a number of bytes, or has a unit:
``1000``, ``64K``, ``512M``, ``2G``; ``K`` is 1024. The same holds for the keys of spawn strings.

An *endpoint* says where to listen or to connect:

* ``8080``, ``:8080`` and ``*:8080`` listen on all addresses of the machine, IPv6 and IPv4;
  ``127.0.0.1:8080`` and ``[::1]:8080`` on one of them, and ``0.0.0.0:8080`` on those of IPv4.
* ``edge.example.net:9080`` and ``[2001:db8::1]:9080`` say where to connect.
* ``unix:/run/brxy/nodes`` is a Unix socket, for both.
* Any other is in `Twisted's notation
  <https://docs.twisted.org/en/stable/core/howto/endpoints.html#endpoint-types-included-with-twisted>`_.
  A *server endpoint* is for example ``tcp:8080:interface=127.0.0.1:backlog=100``,
  ``unix:/run/brxy/nodes:mode=660``, or ``systemd:domain=INET:name=http`` for a socket that
  systemd passes (see :ref:`systemd`). Without ``interface=``, ``tcp:8080`` listens on all
  addresses, too. A *client endpoint* is for example ``tcp:edge.example.net:9080``.

If a value is bad, the program writes one line to standard error and exits with status 1.
"""

_EDGE = """
The edge
--------

.. program:: brxy-edge

The edge starts instances by its *spawners*, which :option:`--spawn` configures. A command after
``--`` at the end of the command line is one more ``--spawn``, with the spawner ``process:``: the
edge runs it, and it must end by running a node.
"""

_NODE = """
The node
--------

.. program:: brxy-node

The command of the app follows ``--``. The node runs it without a shell, and replaces ``{port}``,
``{host}`` and ``{route}`` in its arguments. The environment of the app has ``PORT``, ``HOST``
(127.0.0.1) and ``ROUTE``, and no variable that begins with ``BRXY_``. The app must listen on
``HOST`` and ``PORT``.
"""

_ENVIRONMENT = """
Variables without an option
~~~~~~~~~~~~~~~~~~~~~~~~~~~

The edge sets these variables of the environment for the nodes that it spawns. For nodes that you
start yourself, set ``BRXY_TOKEN`` or use ``--token-file``, and leave out the other two.
"""

_SPAWN = """
Spawn keys
----------

.. program:: brxy-edge

The value of :option:`--spawn` is a spawn string, ``SPAWNER: key=value … -- command …``.
:doc:`spawn` is the reference of its syntax, of all spawners, and of the keys of each. These keys
are the same for every spawner:
"""

_TAIL = """
Installed packages can add spawners, see :doc:`writing-spawners`. :option:`--help-spawners`
lists all that are installed. If a spawn string names an unknown spawner, the edge does not start,
and its error lists the known ones.
"""


def pageText() -> str:
    """
    @return: the text of the page.
    """
    blocks = [
        _HEAD,
        _EDGE,
        *_groups(EDGE),
        _NODE,
        *_groups(NODE),
        _ENVIRONMENT,
        *(_variable(each) for each in NODE if not each.is_option),
        _SPAWN,
        *(_key(key) for key in optionKeys(Common)),
        _TAIL,
    ]
    return "\n\n".join(each.strip("\n") for each in blocks) + "\n"


def _groups(table: Table) -> Iterator[str]:
    for group, settings in table.groups().items():
        yield f"{group}\n{'~' * len(group)}"
        for each in settings:
            yield f".. option:: {_signature(each)}\n\n{indent(_body(each, table), '   ')}"


def _signature(setting: Setting) -> str:
    names = [f"--{setting.name}", *([f"-{setting.short}"] if setting.short else [])]
    return ", ".join(f"{name} {setting.kind.placeholder}".rstrip() for name in names)


def _body(setting: Setting, table: Table) -> str:
    text = [setting.help, "May be repeated."] if setting.repeatable else [setting.help]
    parts = [_filled(_linked(" ".join(text), setting, table))]
    if setting.detail:
        parts.append(_filled(_linked(cleandoc(setting.detail), setting, table)))
    parts.append("\n".join(_facts(setting)))
    return "\n\n".join(filter(None, parts))


def _facts(setting: Setting) -> Iterator[str]:
    """
    @return: the fields below the text of an option.
    """
    kind = setting.kind
    if kind is ACTION:
        return
    if kind is not FLAG:
        zero = f"; 0 means {kind.zero}" if kind.zero else ""
        yield from _field("Value", kind.takes + zero)
    yield from _field("Default", _default(setting))
    if setting.environment:
        yield f":Environment: ``{setting.environment}``, if the option is not given"
    if setting.spawn_key:
        yield f":Spawn key: ``{setting.spawn_key}=`` sets it for the routes of one spawn string"
    if setting.reloadable:
        yield ":Reload: read again at SIGHUP, see :ref:`reload`"
    if setting.client:
        yield from _field("The client sees", setting.client)
    if setting.see:
        yield f":See also: {setting.see}"


def _default(setting: Setting) -> str:
    if setting.kind is FLAG:
        return "off"
    value = f"``{setting.default}``" if setting.default else ""
    note = re.sub(r"(--[a-z-]+|[A-Z]+_[A-Z_]+)", r"``\1``", setting.default_note)
    return " ".join(filter(None, [value, note])) or "none"


def _field(name: str, text: str) -> list[str]:
    return wrap(f":{name}: {text}", 92, subsequent_indent="   ", break_on_hyphens=False)


def _linked(text: str, setting: Setting, table: Table) -> str:
    """
    @return: a text with links to the other options that it names, and without
        quotes or dashes that Sphinx would replace.
    """
    names = {f"--{each.name}" for each in table.options()} - {f"--{setting.name}"}

    def link(match: re.Match[str]) -> str:
        name = match[0].strip("`")
        return f":option:`{name}`" if name in names else f"``{name}``"

    text = re.sub(r'"([^"]+)"', r"``\1``", text)
    # The second alternative keeps command lines as they are.
    return re.sub(r"``--[a-z-]+``|``[^`]+``|(?<![`\w-])--[a-z-]+\b", link, text)


def _filled(text: str) -> str:
    return "\n".join(wrap(text, 92, break_long_words=False, break_on_hyphens=False))


def _variable(setting: Setting) -> str:
    return f"``{setting.environment}``\n{indent(_filled(setting.help), '    ')}"


def _key(key: str) -> str:
    setting = next((each for each in EDGE if each.spawn_key == key), None)
    if setting is not None:
        text = f"{setting.help} Default: the value of :option:`--{setting.name}`."
    else:
        text = _OWN_KEYS[key]
    return f"``{key}=``\n{indent(_filled(text), '    ')}"


#: Keys that are not the same setting as an option of the edge.
_OWN_KEYS = {
    "route": "The route that the spawner serves: a host, the name of a TCP frontend, or a "
    "pattern such as ``*.example.com``, which matches every host below ``example.com``. "
    "Default: all routes.",
    "send-proxy": "Send the client's address to the app in a PROXY protocol header of this "
    "version, ``v1`` or ``v2``, as :option:`brxy-node --send-proxy` does, also where the edge "
    "fronts the app itself. The requests that ``kubernetes:`` makes for ``ready-path=`` have "
    "no header. Default: no header.",
    "speaks-first": "Which end of a TCP connection sends first, ``client`` or ``server``, as "
    ":option:`brxy-node --speaks-first` says, also where the edge fronts the app itself. "
    "Default: ``client``.",
    "on-change": "What a reload does with the instances if it changes how this spawn starts "
    "them: ``roll`` replaces them by newer ones one at a time, ``next`` leaves them until they "
    "leave by themselves, ``restart`` retires all at once. See :ref:`reload`. Default: "
    "``roll``.",
    "name": "The name of this spawn, by which the edge finds its instances again after a "
    "restart: 1 to 30 letters, digits, ``-`` and ``_``, with a letter or digit at both ends. "
    "Two spawns must not have the same name. Default: the spawner's name, and ``docker-2``, "
    "``docker-3`` … for more spawns of the same spawner.",
}


if __name__ == "__main__":
    PAGE.write_text(pageText())
    for path, text in manPages().items():
        path.write_text(text)
