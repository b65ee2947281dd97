"""
Tests of L{brxy.edge.config.files}.
"""
