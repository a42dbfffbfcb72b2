"""Only requests that were meant for this server, from its own page or from a program.

A page of another site can make a browser send requests here. With a name of its own that it lets
point to this machine (DNS rebinding) it could read the responses, too: such a name is in the Host
header, which must therefore be known. A request that another site's page sends to the right name
says so in its Origin header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.use.serving.limits import Refusal

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY_ADDRESS = ("0.0.0.0", "::", "")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@\[\]\\]+)(:\d{1,5})?")


def host_names(host: str, allowed: Iterable[str]) -> frozenset[str]:
    """The names that requests may use: this machine's, the address it listens on, and others."""
    names = [*LOOPBACK, *allowed, *([] if host in ANY_ADDRESS else [host])]
    return frozenset(_bracketed(name.lower()) for name in names)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


class KnownHosts:
    """Refuses requests for other hosts, and requests that another site's page sends.

    Parameters
    ----------
    names : see `host_names`. The port is not looked at, so that it may be forwarded from another.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal.response() if refusal else self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        hosts = _values(scope, b"host")
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            return Refusal(400, "a request has one Host header, with a name", "host")
        if match[1].removesuffix(".") not in self._names:
            return Refusal(
                421, "this server is not known by the name that the request uses; whoever started "
                "it may add it with --allow-host", "host",
            )
        origins = _values(scope, b"origin")
        if any(origin.partition("://")[2] != hosts[0] for origin in origins):
            return Refusal(403, "pages of other sites may not ask this server", "origin")
        return None


def _values(scope: Scope, header: bytes) -> list[str]:
    return [
        value.decode("latin-1").strip().lower()
        for name, value in scope["headers"] if name == header
    ]
