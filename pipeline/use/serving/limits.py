"""What a request may ask for, and how a request that asks for more is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from python_multipart.multipart import parse_options_header
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.data.reading.json_rows import object_of
from reports.wording import short

JSON = "application/json"
END_OF_FORM = 4096  # bytes of a form's end, in which its last boundary stands


@dataclass(frozen=True)
class Limits:
    """How much is taken in. A picture's pixels have a limit of their own, which is Pillow's.

    Parameters
    ----------
    request_bytes : of a request's body, pictures and all.
    text : characters of a text.
    items : of a batch.
    at_once : items that the model is asked about together.
    waiting : items that may wait for the model, of all requests.
    receive_seconds : in which a request's body must have arrived.
    predict_seconds : in which the model must have predicted, waiting included.
    """

    request_bytes: int = 32 * 2**20
    text: int = 100_000
    items: int = 64
    at_once: int = 32
    waiting: int = 256
    receive_seconds: float = 60
    predict_seconds: float = 60


class Refused(BaseModel):
    """Why a request is refused."""

    error: str = Field(description="What is wrong, in words.")
    rule: str = Field(description="A short name of the rule that the request breaks.")
    limit: int | float | None = Field(None, description="The number that the rule sets, if any.")


class Refusal(HTTPException):
    """A request that breaks a rule.

    An HTTPException, for those alone pass through FastAPI's reading of a body as they are.

    Parameters
    ----------
    status : of HTTP.
    error, rule, limit : see `Refused`.
    """

    def __init__(self, status: int, error: str, rule: str, limit: float | None = None) -> None:
        super().__init__(status, error)
        self.refused = Refused(error=error, rule=rule, limit=limit)

    def response(self) -> JSONResponse:
        """What the client is told."""
        return JSONResponse(self.refused.model_dump(), self.status_code)


class BoundedBody:
    """Lets no more of a body through than is allowed, nor for longer.

    What announces too much is refused before a byte of it is read; what announces nothing is
    counted while it arrives, before anything of it is kept in memory or in a file.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(_announced(scope))
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        received, ended = 0, False
        seconds = self._limits.receive_seconds
        deadline = asyncio.get_running_loop().time() + seconds

        async def bounded() -> Message:
            nonlocal received, ended
            if ended:  # what follows the body is only whether the client is still there
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Refusal(
                    408, f"the request did not arrive within {seconds:g} seconds",
                    "seconds of a request", seconds,
                ) from None
            received += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            self._check(received)
            return message

        return bounded

    def _check(self, size: int) -> None:
        limit = self._limits.request_bytes
        if size > limit:
            raise Refusal(
                413, f"the request is larger than {limit:,} bytes", "bytes of a request", limit
            )


def _announced(scope: Scope) -> int:
    """The body's size by the request's headers; 0 where they do not say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise Refusal(400, "Content-Length is not a number of bytes", "content-length")
            return int(value)
    return 0


class WholeForms:
    """Refuses forms of several parts (RFC 7578) that end without their last boundary.

    What came of them would be taken for all that was sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        end = _last_boundary(scope) if scope["type"] == "http" else b""
        await self._app(scope, _watched(receive, end) if end else receive, send)


class WholeBody(APIRoute):
    """A path whose request is read whole first: what its fields are made of can then be seen."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            return await handle(await self.whole(request))

        return handled

    async def whole(self, request: Request) -> Request:
        """The request, whose body has been read."""
        await request.body()
        return request


class WholeJson(WholeBody):
    """A path whose request is JSON, and is told what is wrong with it as such."""

    async def whole(self, request: Request) -> Request:
        """See WholeBody."""
        check_kind(request.headers.get("content-type", ""))
        whole = _JsonRequest(request.scope, request.receive)
        await whole.json()
        return whole


class _JsonRequest(Request):
    """A request whose JSON is read once, by json_of."""

    async def json(self) -> Any:
        """See Request."""
        if not hasattr(self, "_json"):
            self._json = json_of(await self.body())
        return self._json


def check_kind(content_type: str) -> None:
    """Raise a Refusal where a body is said to be of another kind than JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        raise Refusal(
            415, f"JSON is asked for here (content-type: {JSON}); a form goes to /predict",
            "content-type",
        )


def json_of(body: bytes) -> Any:
    """What a body holds: JSON in UTF-8, of whose keys none stands twice.

    Raises
    ------
    Refusal
        Where it is no such thing.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=object_of)
    except UnicodeDecodeError as error:
        raise Refusal(
            400, f"the body is not UTF-8: byte {error.start} cannot be read", "encoding"
        ) from None
    except json.JSONDecodeError as error:
        raise Refusal(400, f"the body is no JSON: {error}", "json") from None
    except RecursionError:
        raise Refusal(400, "the body is nested too deep", "json") from None
    except ValueError as error:
        raise Refusal(422, str(error), "fields") from None


def check_encoding(content_type: str, body: bytes, texts: Iterable[str]) -> None:
    """Whether the texts of a form are what was sent, in the charset that it declares, or UTF-8.

    Starlette takes what is none for Latin-1, or for signs that stand for nothing.

    Raises
    ------
    Refusal
        Where they are not.
    """
    kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    try:
        if kind.startswith(b"multipart/"):
            if all(text.encode(charset) in body for text in texts):
                return
        else:
            charset = "utf-8"
            parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
            return
    except (LookupError, UnicodeError):
        pass
    raise Refusal(422, f"the form holds text that is not {short(charset)}", "charset")


def _watched(receive: Receive, end: bytes) -> Receive:
    tail = b""

    async def watched() -> Message:
        nonlocal tail
        message = await receive()
        tail = (tail + message.get("body", b""))[-END_OF_FORM:]
        has_ended = message["type"] == "http.request" and not message.get("more_body", False)
        if has_ended and tail and end not in tail:
            raise Refusal(400, "the form ends before its last boundary", "form")
        return message

    return watched


def _last_boundary(scope: Scope) -> bytes:
    """What ends the body; empty where it is no form of several parts."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind, options = parse_options_header(value)
            boundary = options.get(b"boundary", b"")
            return b"--" + boundary + b"--" if kind.startswith(b"multipart/") and boundary else b""
    return b""
