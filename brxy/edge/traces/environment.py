"""
What OpenTelemetry's variables in the environment say about traces.

As its specification requires, a variable that can't be used is reported and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

__all__ = ["Sampler", "TraceSettings", "readTraces"]

_Value = TypeVar("_Value")

_NOTHING: Mapping[str, str] = {}

_LOCAL = "http://localhost:4318"
_PATH = "v1/traces"

# RFC 9110 §5.1 and §5.5.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT = re.compile(r"[ -~]*")


@frozen
class Sampler:
    """
    Which traces are recorded.

    @ivar ratio: the share of traces that are.
    @ivar follows_parent: a trace that a client has begun is recorded if the client says so;
        then the share is that of the others.
    """

    ratio: float = 1.0
    follows_parent: bool = True


@frozen
class TraceSettings:
    """
    Which traces are recorded, and where they go.  Times are in seconds.

    @ivar endpoint: the URL to which spans are sent.
    @ivar headers: field lines that are sent with them.
    @ivar certificate: a file with the authorities that an https endpoint is checked
        against; L{None} for those of the system.
    @ivar timeout: until the endpoint must have answered.
    @ivar resource: the attributes of this edge.
    @ivar delay: how long spans wait for others.
    @ivar export_timeout: how long the same spans are sent again after failures.
    @ivar queue: how many spans wait at most.
    @ivar batch: how many are sent at once at most.
    """

    endpoint: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    certificate: str | None = None
    timeout: float = 10.0
    sampler: Sampler = Sampler()
    resource: Mapping[str, str] = field(factory=dict)
    delay: float = 5.0
    export_timeout: float = 30.0
    queue: int = 2048
    batch: int = 512


def readTraces(
    environ: Mapping[str, str], ignored: Callable[[str, str], None]
) -> TraceSettings | None:
    """
    @param ignored: called with each variable that can't be used, and with the reason.
    @return: L{None} if there are to be no traces.
    """
    return _Variables(environ, ignored).settings()


class _Variables:
    """
    The environment.  An empty variable counts as none.
    """

    def __init__(self, environ: Mapping[str, str], ignored: Callable[[str, str], None]) -> None:
        self._environ = environ
        self._ignored = ignored

    def settings(self) -> TraceSettings | None:
        if self._get("OTEL_SDK_DISABLED").lower() == "true":
            return None
        endpoint = self._endpoint(self._isWanted())
        if endpoint is None:
            return None
        for variable in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
            self._read(variable, _protocol, "")
        queue = self._read("OTEL_BSP_MAX_QUEUE_SIZE", _count, 2048)
        headers = self._read("OTEL_EXPORTER_OTLP_HEADERS", _headers, _NOTHING)
        timeout = self._read("OTEL_EXPORTER_OTLP_TIMEOUT", _milliseconds, 10.0)
        certificate = self._get("OTEL_EXPORTER_OTLP_CERTIFICATE")
        return TraceSettings(
            endpoint,
            self._read("OTEL_EXPORTER_OTLP_TRACES_HEADERS", _headers, headers),
            self._get("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE") or certificate or None,
            self._read("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", _milliseconds, timeout),
            self._sampler(),
            self._resource(),
            self._read("OTEL_BSP_SCHEDULE_DELAY", _milliseconds, 5.0),
            self._read("OTEL_BSP_EXPORT_TIMEOUT", _milliseconds, 30.0),
            queue,
            min(queue, self._read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _count, 512)),
        )

    def _isWanted(self) -> bool | None:
        """
        @return: L{None} if that depends on whether there is an endpoint.
        """
        exporter = self._get("OTEL_TRACES_EXPORTER")
        if exporter not in ("", "otlp", "none"):
            self._ignored("OTEL_TRACES_EXPORTER", "otlp or none is needed")
            return None
        return {"": None, "otlp": True, "none": False}[exporter]

    def _endpoint(self, is_wanted: bool | None) -> str | None:
        if is_wanted is False:
            return None
        exact = self._read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", _url, "")
        if exact:
            return exact
        base = self._read("OTEL_EXPORTER_OTLP_ENDPOINT", _url, _LOCAL if is_wanted else "")
        return f"{base.rstrip('/')}/{_PATH}" if base else None

    def _sampler(self) -> Sampler:
        name = self._get("OTEL_TRACES_SAMPLER")
        kind = name.removeprefix("parentbased_")
        ratios = {"": 1.0, "always_on": 1.0, "always_off": 0.0}
        if kind == "traceidratio":
            return Sampler(self._read("OTEL_TRACES_SAMPLER_ARG", _share, 1.0), kind != name)
        if kind not in ratios or name == "parentbased_":
            self._ignored("OTEL_TRACES_SAMPLER", f"there is no sampler {name!r}")
            return Sampler()
        return Sampler(ratios[kind], kind != name or not name)

    def _resource(self) -> Mapping[str, str]:
        given = self._read("OTEL_RESOURCE_ATTRIBUTES", _pairs, _NOTHING)
        name = self._get("OTEL_SERVICE_NAME")
        return {"service.name": "brxy", **given, **({"service.name": name} if name else {})}

    def _get(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()

    def _read(self, variable: str, convert: Callable[[str], _Value], default: _Value) -> _Value:
        text = self._get(variable)
        if not text:
            return default
        try:
            return convert(text)
        except ValueError as error:
            self._ignored(variable, str(error))
            return default


def _url(text: str) -> str:
    needed = "a URL such as http://localhost:4318 is needed"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(needed) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(needed)
    if parts.username is not None or not re.fullmatch("[!-~]+", text):
        raise ValueError(needed)
    return text


def _protocol(text: str) -> str:
    # Collectors take protobuf and JSON at the same address.
    if text not in ("http/json", "http/protobuf"):
        raise ValueError("brxy sends http/json")
    return text


def _pairs(text: str) -> Mapping[str, str]:
    found = {}
    for each in text.split(","):
        name, equals, value = each.partition("=")
        if each.strip() and not (equals and name.strip()):
            raise ValueError("NAME=VALUE,NAME=VALUE is needed")
        if each.strip():
            found[unquote(name.strip())] = unquote(value.strip())
    return found


def _headers(text: str) -> Mapping[str, str]:
    found = _pairs(text)
    if not all(_NAME.fullmatch(name) and _TEXT.fullmatch(found[name]) for name in found):
        # The value may be a secret.
        raise ValueError("a header field has invalid characters")
    return found


def _number(text: str, needed: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(needed) from None


def _milliseconds(text: str) -> float:
    needed = "a number of milliseconds, more than 0, is needed"
    value = _number(text, needed)
    if not 0 < value < 1e9:
        raise ValueError(needed)
    return value / 1000


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:10]) < 1e7):
        raise ValueError("a number of spans, from 1 to 9999999, is needed")
    return int(text)


def _share(text: str) -> float:
    needed = "a number from 0 to 1 is needed"
    value = _number(text, needed)
    if not 0 <= value <= 1:
        raise ValueError(needed)
    return value
