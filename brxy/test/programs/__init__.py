"""
Tests with real programs: twistd, apps, load balancers and protocol clients.
"""

__all__: list[str] = []
