"""
What a request costs beside other proxies.
"""

__all__: list[str] = []
