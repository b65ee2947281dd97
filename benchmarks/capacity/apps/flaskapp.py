"""
A Flask app.
"""

from __future__ import annotations

from flask import Flask, request
from journal import Work

app = Flask(__name__)


@app.route("/", defaults={"name": ""}, methods=["GET", "POST"])
@app.route("/<name>", methods=["GET", "POST"])
def answer(name: str) -> bytes:
    """
    Answer a request.
    """
    return Work(name, request.query_string.decode()).perform()
