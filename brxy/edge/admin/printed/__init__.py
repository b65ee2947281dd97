"""
What apps have printed, kept for a while and shown by the admin API.
"""

__all__: list[str] = []
