"""
Programs: options, reactor, supervisor, token file and exit status of a service.
"""

__all__: list[str] = []
