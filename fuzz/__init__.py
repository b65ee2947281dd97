"""
Fuzzers of the code that reads bytes from untrusted peers: C{./dev fuzz} runs
them.
"""
