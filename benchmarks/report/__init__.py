"""
Figures, plots and tables of the benchmarks.
"""

__all__: list[str] = []
