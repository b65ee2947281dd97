"""
A Flask app, also for gunicorn.
"""

import os
import time

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """
    Say which process this is.
    """
    return f"Hello from process {os.getpid()}\n"


@app.get("/slow")
def slow() -> str:
    """
    Take half a second.
    """
    time.sleep(0.5)
    return hello()
