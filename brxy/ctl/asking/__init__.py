"""
The verbs of C{brxy} that ask a running edge, or have it do something.

They must begin at once, and so import neither Twisted nor attrs.
"""

__all__: list[str] = []
