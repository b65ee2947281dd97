"""
Tests that every spawner has to pass, for authors of spawners: L{SpawnerTests}.
"""

from __future__ import annotations

from brxy.spawners.testing.suite import SpawnerTests

__all__ = ["SpawnerTests"]
