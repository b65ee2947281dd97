"""
Settings of an edge: its instances, its nodes, and how it starts and stops.
"""

from __future__ import annotations

from brxy.edge.config.kinds import ALLOWED, ENDPOINT, SPAWN
from brxy.program.fields import (
    ACTION,
    CAPACITY,
    FILE,
    FLAG,
    FOLDER,
    MAX_CAPACITY,
    SECONDS,
    Setting,
    count,
)

__all__ = ["NODES", "SCALING", "STATE"]

_SCALING = "Scaling"
_NODES = "Nodes"
_STATE = "State and stopping"

SCALING = (
    Setting(
        name="spawn",
        group=_SCALING,
        kind=SPAWN,
        help='How instances are started: "SPAWNER: key=value... -- command...".',
        field="spawns",
        default_note="none; then only nodes that you start yourself serve requests",
        repeatable=True,
        detail="""
        A string that names no spawner is a command for ``process:``, and so is what follows ``--``
        on the command line of the edge. The first ``--spawn`` that serves a route starts the
        instances of that route; the next one that serves it is used when the first has as many
        instances as it may have, or keeps failing. The edge sends requests to instances of the
        first as long as one of them is free. The newest instance of the first also counts as the
        newest of the route. So when traffic falls, the instances of the other ``--spawn`` are
        stopped first.
        """,
        see=":ref:`overflow`",
    ),
    Setting(
        name="help-spawners",
        group=_SCALING,
        kind=ACTION,
        help="Print all spawners and their keys, and exit.",
        field=None,
        detail="""
        The list has built-in and installed spawners. Those that cannot be used are listed with the
        reason.
        """,
        see=":doc:`spawn`",
    ),
    Setting(
        name="capacity",
        short="c",
        group=_SCALING,
        kind=CAPACITY,
        help="How many exchanges an instance takes at once.",
        field="spawns.rule.capacity",
        default="auto",
        spawn_key="capacity",
        detail="""
        With ``auto`` the edge, or the node beside the app, learns the number from what the app
        takes up. Where that cannot be seen, an instance takes one exchange at a time. A node that
        the edge has spawned finds the value in its environment (``BRXY_CAPACITY``), and uses it
        unless its own ``--capacity`` is given.
        """,
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="max-capacity",
        group=_SCALING,
        kind=MAX_CAPACITY,
        help="The highest capacity that is learned.",
        field="spawns.rule.max_capacity",
        default="100",
        spawn_key="max-capacity",
        detail="""
        It limits apps that take up any number of exchanges, as event loops do. A capacity that is
        given as a number may be higher. A node that the edge has spawned finds the value in its
        environment (``BRXY_MAX_CAPACITY``), and uses it unless its own ``--max-capacity`` is
        given.
        """,
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="max-instances",
        group=_SCALING,
        kind=count("instances"),
        help="How many instances a route has at most.",
        field="spawns.rule.max_instances",
        default="10",
        spawn_key="max",
        client="its request is held until an instance is free.",
        detail="A roll (see :ref:`rolling`) exceeds the number by one instance for a moment.",
        see=":doc:`limits`",
    ),
    Setting(
        name="max-total",
        group=_SCALING,
        kind=count("instances"),
        help="How many instances all routes together have at most.",
        field="max_total",
        default="100",
        client="its request is held until there is room for an instance.",
        detail="""
        When this number is reached and a route needs an instance, the edge stops an idle instance
        of another route.
        """,
        see=":doc:`limits`",
    ),
    Setting(
        name="start-timeout",
        group=_SCALING,
        kind=SECONDS,
        help="How long an instance may take to become ready.",
        field="start_timeout",
        default="50",
        client="503 with ``Retry-After``, if no other instance of the route is alive.",
        detail="An instance that takes longer is stopped, and counts as failed.",
    ),
    Setting(
        name="idle-timeout",
        group=_SCALING,
        kind=SECONDS,
        help="How long the newest instance of a route may be idle before it is stopped.",
        field="spawns.spawning.idle_timeout",
        default="300",
        spawn_key="idle-timeout",
        detail="""
        This applies to instances that the edge has spawned, with or without a node. A node that
        you start yourself uses its own ``--idle-timeout``.
        """,
    ),
    Setting(
        name="old-idle-timeout",
        group=_SCALING,
        kind=SECONDS,
        help="How long an instance may be idle before it is stopped, if there is a newer one.",
        field="spawns.spawning.old_idle_timeout",
        default="10",
        spawn_key="old-idle-timeout",
        detail="""
        This applies to instances that the edge has spawned, with or without a node. A node that
        you start yourself uses its own ``--old-idle-timeout``.
        """,
    ),
)

NODES = (
    Setting(
        name="node-port",
        group=_NODES,
        kind=ENDPOINT,
        help="Where nodes connect to the edge, such as 127.0.0.1:9080 or unix:/run/brxy/nodes.",
        field="node_ports",
        default="tcp:9080:interface=127.0.0.1",
        default_note="or a Unix socket of the edge's own, or none",
        repeatable=True,
        detail="""
        Nodes that the edge spawns connect to the first one. Without this option and
        ``--node-tls-cert``, nodes of ``process:`` connect to a Unix socket that no other edge has:
        ``nodes.sock`` in ``--state-dir``, or else in a temporary folder. The default port is then
        opened only for other nodes: if the edge has no ``--spawn``, one whose nodes run elsewhere
        (in containers, on other hosts), or one of ``process:`` and a ``--token-file``. With
        ``app:`` alone the edge listens for nodes only if this option is given. A Unix socket gets
        the mode 600 unless the endpoint has a ``mode=`` of its own; its folder must exist. A port
        that other machines can reach needs TLS (see ``--node-tls-cert``).
        """,
        see=":ref:`elsewhere`",
    ),
    Setting(
        name="token-file",
        group=_NODES,
        kind=FILE,
        help="The file with the token of nodes that the edge did not spawn.",
        field="token_file",
        reloadable=True,
        detail="""
        The token is the first line of the file, 1 to 255 printable ASCII characters. If the file
        does not exist, the edge creates it with a random token. Each node that the edge spawns
        gets a token of its own; this option is not needed for that. Without this option the edge
        admits only nodes that it has spawned, and nodes that show a certificate.
        """,
        see=":ref:`tokens`",
    ),
    Setting(
        name="node-tls-cert",
        group=_NODES,
        kind=FILE,
        help="The edge's certificate for nodes, with its chain, as PEM.",
        field="node_tls.certificate",
        reloadable=True,
        detail="""
        With it nodes connect over TLS 1.3 on every node port except Unix sockets. It needs
        ``--node-tls-key``.
        """,
        see=":ref:`elsewhere`",
    ),
    Setting(
        name="node-tls-key",
        group=_NODES,
        kind=FILE,
        help="The key of the certificate of --node-tls-cert, as PEM.",
        field="node_tls.key",
        reloadable=True,
        see=":ref:`elsewhere`",
    ),
    Setting(
        name="node-tls-ca",
        group=_NODES,
        kind=FILE,
        help="Require that each node shows a certificate of an authority in this file.",
        field="node_tls.ca",
        reloadable=True,
        default_note="nodes show no certificate",
        detail="""
        The file is PEM. A node that connects over TLS without such a certificate is refused, also
        if it has a token. A node with one needs no token.
        """,
        see=":ref:`elsewhere`",
    ),
    Setting(
        name="node-allow",
        group=_NODES,
        kind=ALLOWED,
        help="Allow nodes with NAME in their certificate to serve ROUTE.",
        field="allowed",
        default_note="an admitted node may serve every route",
        repeatable=True,
        detail="""
        With ``token=ROUTE`` the option applies to nodes that use the token of ``--token-file``.
        With at least one ``--node-allow``, a node may serve only the routes that these options
        allow it. A node that the edge spawned may always serve the route that it was spawned for.
        """,
        see=":ref:`elsewhere`",
    ),
    Setting(
        name="insecure-node-port",
        group=_NODES,
        kind=FLAG,
        help="Let other machines reach a node port without TLS.",
        field="insecure_node_port",
        detail="""
        Any machine on the way can then read tokens and requests. Without this option the edge does
        not start with such a port.
        """,
        see=":ref:`elsewhere`",
    ),
)

STATE = (
    Setting(
        name="config",
        group=_STATE,
        kind=FILE,
        help="A file with settings and routes, in TOML.",
        field=None,
        default_note="none",
        detail="""
        What the command line gives wins over the file. A ``--spawn`` of the command line comes
        before the spawns of the file.
        """,
        see=":doc:`config`",
    ),
    Setting(
        name="watch",
        group=_STATE,
        kind=FLAG,
        help="Reload when a configuration file changes.",
        field=None,
        detail="""
        The edge watches the folders of the configuration file and of the files that it includes.
        It reads them half a second after the last change, as for SIGHUP.
        """,
        see=":ref:`watch`",
    ),
    Setting(
        name="drain-timeout",
        group=_STATE,
        kind=SECONDS,
        help="How long the edge continues to serve its clients when it is stopped.",
        field="drain_timeout",
        default="30",
        client="503 if its request is still held after this time; else its connection breaks.",
        see=":doc:`signals`",
    ),
    Setting(
        name="upgrade-timeout",
        group=_STATE,
        kind=SECONDS,
        help="How long the edge serves what it has when another one has taken its place.",
        field="upgrade_timeout",
        default="3600",
        client="Its connection breaks if the former edge still serves it after this time.",
        see=":ref:`upgrade`",
    ),
    Setting(
        name="state-dir",
        group=_STATE,
        kind=FOLDER,
        help="Where the edge keeps its id, its key and its instances over a restart.",
        field="state_dir",
        default_note="none; the edge then keeps nothing",
        detail="""
        By the id the edge finds the containers and Pods of its last run again. By the key it makes
        and checks the tokens of the nodes that it spawns. Each edge needs a folder of its own: an
        edge does not start with one that another edge uses.
        """,
        see=":ref:`state-dir`",
    ),
)
