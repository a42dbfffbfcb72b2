"""A server of this machine around the application."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

CONNECTIONS = 256  # at once; others are told to come again


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free. Raises OSError where there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds what listens there."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{'localhost' if host in ('0.0.0.0', '::') else shown}:{port}/"


def server_of(app: ASGIApp) -> uvicorn.Server:
    """A server that tells nothing of itself and trusts no proxy's headers."""
    return uvicorn.Server(uvicorn.Config(
        app, log_level="warning", server_header=False, proxy_headers=False, ws="none",
        lifespan="off", limit_concurrency=CONNECTIONS, timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
    ))
