"""
Benchmarks of the cost of a request, with brxy and with other proxies.
"""

__all__: list[str] = []
