"""
What each route does with its requests: which paths it serves, and what it changes.
"""

__all__: list[str] = []
