"""
Tests of L{brxy.tomlfile}.
"""
