"""
Requests that are answered without an app.
"""

__all__: list[str] = []
