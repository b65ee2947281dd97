"""
What brxy learns of the capacity of real servers: ./dev bench capacity.
"""
