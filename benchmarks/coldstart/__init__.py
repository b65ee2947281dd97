"""
Benchmarks of starts from zero.
"""

__all__: list[str] = []
