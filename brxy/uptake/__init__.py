"""
Whether an app has taken an exchange up, as the kernel sees it.
"""

__all__: list[str] = []
