"""The HTTP interface: routes, checks of the input, answers. README.md has it as a table."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from service.store import ConflictError, Store, StoreError
from service.work import MAX_MS, MAX_PENDING, OverloadedError, Worker

MAX_BODY_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 4096
MAX_SEQ = 2**63 - 1
"""SQLite's largest integer."""
MAX_LIMIT = 500
DEFAULT_LIMIT = 100
BODY_WAIT_S = 10.0

_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_CLIENT_RULE = "must be 1 to 64 of A-Z a-z 0-9 . _ - and a letter or digit first"
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class _ProblemError(Exception):
    def __init__(self, status: HTTPStatus, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members


class Api:
    """The routes of one replica. `identity` is what /whoami answers, apart from the time."""

    def __init__(self, store: Store, worker: Worker, identity: Mapping[str, object]) -> None:
        self._store = store
        self._worker = worker
        self._identity = identity
        self._headers = {"VVC-Replica": str(identity["replica"]), "VVC-Server": str(identity["server"])}

    def application(self) -> Starlette:
        """The ASGI application."""
        app = Starlette(
            routes=[
                Route("/healthz", self.healthz),
                Route("/whoami", self.whoami),
                Route("/entries", self.entries, methods=["GET", "POST"]),
                Route("/work", self.work, methods=["POST"]),
            ],
            exception_handlers={
                _ProblemError: self._on_problem,
                HTTPException: self._on_http,
                StoreError: self._on_store,
                Exception: self._on_bug,
            },
        )
        app.router.redirect_slashes = False
        return app

    async def healthz(self, _request: Request) -> Response:
        await self._store.ready()
        return self._answer(HTTPStatus.OK, {"status": "ok"})

    async def whoami(self, _request: Request) -> Response:
        return self._answer(HTTPStatus.OK, dict(self._identity))

    async def entries(self, request: Request) -> Response:
        return await (self._add(request) if request.method == "POST" else self._page(request))

    async def work(self, request: Request) -> Response:
        body = await _json_object(request, {"ms"})
        ms = body["ms"]
        if not _is_integer(ms) or not 0 <= ms <= MAX_MS:
            raise _invalid({"ms": f"must be an integer from 0 to {MAX_MS}"})
        try:
            used_ms = await self._worker.burn(ms)
        except OverloadedError:
            detail = f"{MAX_PENDING} pieces of work are under way"
            raise _ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, reason="BUSY") from None
        return self._answer(HTTPStatus.OK, {"ms": ms, "cpu_ms": round(used_ms, 3)})

    async def _add(self, request: Request) -> Response:
        body = await _json_object(request, {"client", "seq", "payload"})
        client, seq, payload = body["client"], body["seq"], body["payload"]
        errors: dict[str, str] = {}
        if not isinstance(client, str) or not _CLIENT.fullmatch(client):
            errors["client"] = _CLIENT_RULE
        if not _is_integer(seq) or not 0 <= seq <= MAX_SEQ:
            errors["seq"] = f"must be an integer from 0 to {MAX_SEQ}"
        if not isinstance(payload, str) or not _is_storable(payload):
            errors["payload"] = f"must be Unicode text of at most {MAX_PAYLOAD_BYTES} bytes as UTF-8"
        if errors:
            raise _invalid(errors)
        try:
            stored = await self._store.add(client, seq, payload)
        except ConflictError:
            detail = f"client {client} has stored another payload as seq {seq}; nothing was changed"
            raise _ProblemError(HTTPStatus.CONFLICT, detail) from None
        return self._answer(
            HTTPStatus.CREATED if stored else HTTPStatus.OK, {"client": client, "seq": seq, "stored": stored}
        )

    async def _page(self, request: Request) -> Response:
        query = request.query_params
        errors = {
            _printable(key): "is no parameter of this" for key in query if key not in {"client", "after", "limit"}
        }
        client = query.get("client", "")
        if not _CLIENT.fullmatch(client):
            errors["client"] = _CLIENT_RULE
        after = _query_integer(query.get("after", "-1"), -1, MAX_SEQ, "after", errors)
        limit = _query_integer(query.get("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT, "limit", errors)
        if errors:
            raise _invalid(errors)
        found = await self._store.page(client, after, limit)
        listed = [{"seq": e.seq, "payload": e.payload, "stored_at": utc(e.stored_at)} for e in found]
        # A full page may have a successor; the reader asks again from here until `next` is null.
        following = found[-1].seq if len(found) == limit else None
        return self._answer(HTTPStatus.OK, {"client": client, "entries": listed, "next": following})

    def _answer(
        self,
        status: int,
        content: Mapping[str, object],
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(body, status, {**self._headers, **(headers or {})}, media_type)

    def _problem(
        self, status: int, detail: str, members: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Response:
        title = HTTPStatus(status).phrase
        content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
        return self._answer(status, content, "application/problem+json", headers)

    async def _on_problem(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, _ProblemError)  # noqa: S101 - Starlette's type of a handler is this wide
        return self._problem(error.status, error.detail, error.members)

    async def _on_http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        return self._problem(
            error.status_code, _printable(f"{request.method} {request.scope['path']}"), {}, error.headers
        )

    async def _on_store(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, StoreError)  # noqa: S101 - as above
        headers = {"Retry-After": "1"}
        return self._problem(HTTPStatus.SERVICE_UNAVAILABLE, error.detail, {"reason": error.reason}, headers)

    async def _on_bug(self, _request: Request, _error: Exception) -> Response:
        return self._problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug of the service; its log has the traceback", {})


async def _json_object(request: Request, fields: set[str]) -> dict[str, Any]:
    """The body as a JSON object with exactly these fields, all present."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise _ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
    try:
        # parse_constant: NaN and Infinity are Python's extension, not JSON.
        body = json.loads(await _body(request), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {_printable(error)}") from error
    if not isinstance(body, dict):
        raise _ProblemError(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
    errors = {_printable(key): "is no field of this" for key in body if key not in fields}
    errors.update(dict.fromkeys(sorted(fields - body.keys()), "is missing"))
    if errors:
        raise _invalid(errors)
    return body


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _ProblemError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body must be at most {MAX_BODY_BYTES} bytes"
                    )
    except TimeoutError:
        detail = f"the body must arrive within {BODY_WAIT_S} s"
        raise _ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from None
    except ClientDisconnect:
        raise _ProblemError(HTTPStatus.BAD_REQUEST, "the client went away") from None
    return bytes(body)


def _invalid(errors: Mapping[str, str]) -> _ProblemError:
    listed = [{"field": field, "problem": problem} for field, problem in errors.items()]
    detail = "; ".join(f"{field} {problem}" for field, problem in errors.items())
    return _ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=listed)


def _query_integer(text: str, low: int, high: int, field: str, errors: dict[str, str]) -> int:
    if _INTEGER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    errors[field] = f"must be an integer from {low} to {high}"
    return low


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_storable(text: str) -> bool:
    try:
        return len(text.encode()) <= MAX_PAYLOAD_BYTES
    except UnicodeEncodeError:  # a lone surrogate: JSON can write it, UTF-8 cannot
        return False


def _printable(value: object) -> str:
    return str(value)[:200].encode("ascii", "backslashreplace").decode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 with milliseconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
