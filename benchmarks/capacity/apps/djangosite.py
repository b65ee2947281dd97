"""
A Django site in one file, and its C{manage.py}.
"""

from __future__ import annotations

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from journal import Work

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none", DEBUG=True)


def answer(request: HttpRequest) -> HttpResponse:
    """
    Answer a request.
    """
    return HttpResponse(Work(request.path, request.META["QUERY_STRING"]).perform())


urlpatterns = [re_path("", answer)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
