"""
Fuzzers of what reads bytes from strangers: C{./dev fuzz} runs them.
"""
