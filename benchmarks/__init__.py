"""
Benchmarks of brxy and of other proxies: ./dev bench.
"""
