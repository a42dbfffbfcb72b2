"""The application: routes, pages, errors in words, and what every request goes through first."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.use.serving.documentation import documentation
from pipeline.use.serving.hosts import KnownHosts
from pipeline.use.serving.limits import BoundedBody, Refusal, WholeForms
from pipeline.use.serving.metrics import Measured
from pipeline.use.serving.page import HtmlPage, question_page
from pipeline.use.serving.routes import index_router, json_router, router
from pipeline.use.serving.service import Service

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def app_of(service: Service, hosts: frozenset[str]) -> ASGIApp:
    """The application that serves a bundle.

    Parameters
    ----------
    hosts : see `pipeline.use.serving.hosts.host_names`.
    """
    app = FastAPI(
        title=str(service.bundle.about.get("run") or "modalgrid"),
        description="Probabilities of classes, by picture and text.",
        version=str(service.bundle.about.get("created", "")) or "0",
        docs_url=None, redoc_url=None,
    )
    app.state.service = service
    app.include_router(router)
    app.include_router(json_router)
    if service.index is not None:
        app.include_router(index_router)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)
    pages = {"/": question_page(service), "/docs": documentation(app.openapi())}
    for path, page in pages.items():
        app.add_api_route(path, _shown(page), include_in_schema=False)
    paths = frozenset([*app.openapi()["paths"], *pages, "/openapi.json"])
    bounded = BoundedBody(WholeForms(app), service.limits)
    return Measured(Guarded(KnownHosts(bounded, hosts)), service.metrics, paths)


class Guarded:
    """Gives every response the headers by which a browser trusts it with nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                encoded = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [
                    *message["headers"], *(pair for pair in encoded if pair[0] not in given)
                ]
            await send(message)

        await self._app(scope, receive, guarded)


def _shown(page: HtmlPage) -> Any:
    async def show() -> HTMLResponse:
        return HTMLResponse(page.text, headers={"content-security-policy": page.policy})

    return show


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = error if isinstance(error, Refusal) else Refusal(
        error.status_code, str(error.detail), "http"
    )
    response = refusal.response()
    response.headers.update(error.headers or {})
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    """What is wrong in which field; what the client sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    lines = [
        ".".join(str(part) for part in problem["loc"]) + f": {problem['msg']}"
        for problem in error.errors()[:10]
    ]
    return Refusal(422, "; ".join(lines), "fields").response()


async def _broken(request: Request, error: Exception) -> Response:
    """The traceback stays here: uvicorn logs it."""
    return Refusal(500, "the server failed on this request; its log says why", "failure").response()
