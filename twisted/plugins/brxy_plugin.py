"""
What twistd lists of brxy.  This module is imported whenever anybody's twistd
looks for plugins, so it names brxy's modules and imports none.
"""

from twisted.application.service import ServiceMaker

edge = ServiceMaker(
    "brxy edge",
    "brxy.edge.tap",
    "Holds clients while it starts their app from zero.",
    "brxy-edge",
)

node = ServiceMaker(
    "brxy node",
    "brxy.node.tap",
    "Runs an app and pulls work for it from an edge.",
    "brxy-node",
)
