"""
Helpers for tests in memory: networks, fakes, frames, requests.
"""

__all__: list[str] = []
