"""
Benchmark of how long requests wait for an instance.
"""

__all__: list[str] = []
