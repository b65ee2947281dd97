"""
The command C{brxy}: runs the programs of brxy, and asks a running edge.

The verbs that ask an edge must begin at once, and so import neither Twisted nor attrs.
"""
