"""
Tests of real programs: twistd, apps, load balancers, browsers' protocols.
"""

__all__: list[str] = []
