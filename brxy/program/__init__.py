"""
What makes a program of a service: settings, command line, reactor, systemd, token file,
exit status.
"""

__all__: list[str] = []
