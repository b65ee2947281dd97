"""
Metrics of an edge, for Prometheus.
"""

__all__: list[str] = []
