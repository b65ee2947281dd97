"""
Other settings for an edge that runs: what differs, and what has to change.
"""

__all__: list[str] = []
