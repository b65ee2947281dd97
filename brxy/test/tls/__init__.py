"""
Tests of L{brxy.tls}.
"""

__all__: list[str] = []
