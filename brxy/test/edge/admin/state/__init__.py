"""
Tests of L{brxy.edge.admin.state}.
"""

__all__: list[str] = []
