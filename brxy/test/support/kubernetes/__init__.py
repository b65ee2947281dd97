"""
A Kubernetes API server and kubelet for tests.
"""

__all__: list[str] = []
