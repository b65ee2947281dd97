"""
Tests of L{brxy.edge.admin.dashboard}.
"""
