"""
Helpers for tests with real programs: sshd, network namespaces, builds.
"""

__all__: list[str] = []
