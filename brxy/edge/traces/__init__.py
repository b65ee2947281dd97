"""
Traces: the spans of exchanges, and their export by OTLP.
"""

__all__: list[str] = []
