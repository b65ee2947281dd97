"""
Child processes: started fast, ended for certain, and their ports.
"""

__all__: list[str] = []
