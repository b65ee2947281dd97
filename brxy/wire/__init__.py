"""
The bytes of a connection: slot frames, greetings, PROXY headers, TLS hellos.  Pure.
"""

__all__: list[str] = []
