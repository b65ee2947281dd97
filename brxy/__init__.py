"""
brxy: a broker that holds clients while it starts their app from zero.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
