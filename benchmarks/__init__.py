"""
What brxy costs, and what others cost beside it: ./dev bench.
"""
