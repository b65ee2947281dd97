"""
Simulates how a limit is found for apps that queue inside: ./dev bench slowdown.
"""
