"""
HTTP messages: read strictly, and rendered for the other side.  Pure.
"""

__all__: list[str] = []
