"""
Tests of L{brxy.ctl.dashboard}.
"""
