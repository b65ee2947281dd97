"""
The settings of an edge, each declared once.

From here come its command line, C{--help}, the defaults of its settings objects and the
reference of its options.
"""

from __future__ import annotations

from brxy.edge.config.adminfields import ADMIN
from brxy.edge.config.clientfields import CLIENTS, ROUTES, TLS
from brxy.edge.config.instancefields import NODES, SCALING, STATE
from brxy.edge.config.limitfields import LIMITS, TIMEOUTS
from brxy.edge.config.logfields import LOGS
from brxy.edge.config.metricsfields import METRICS, TRACES
from brxy.program.fields import COMMON, Table

__all__ = ["FIELDS"]

#: All of them.  L{Setting.field} is a path from L{brxy.edge.config.settings.EdgeSettings}.
FIELDS = Table(
    (
        *CLIENTS,
        *TLS,
        *ROUTES,
        *SCALING,
        *NODES,
        *LIMITS,
        *TIMEOUTS,
        *STATE,
        *ADMIN,
        *LOGS,
        *METRICS,
        *TRACES,
        *COMMON,
    )
)
