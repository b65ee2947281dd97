"""
The metrics of an edge, each declared once.

From here come the exposition, their reference in the documentation, and the dashboard for
Grafana.
"""

from __future__ import annotations

from brxy.edge.metrics import edgetable, instancetable, requesttable

__all__ = ["METRICS"]

#: All of them.
METRICS = (*requesttable.ALL, *instancetable.ALL, *edgetable.ALL)
