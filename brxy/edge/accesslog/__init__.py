"""
The access log: one line for each exchange that has ended.
"""

__all__: list[str] = []
