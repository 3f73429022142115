"""The app's own FastAPI application: errors as sentences, and one API page for all that the server answers."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer

from echo_keypoints.errors import EchoKeypointsError
from lib.refusal import Refusal
from lib.service import Service
from lib.web_echo import echo_router
from lib.web_stock import stock_router

logger = logging.getLogger(__name__)


def make_app(service: Service, label_app: Any) -> FastAPI:
    """Make the application.

    Args:
        service: what it shows.
        label_app: MONAI Label's app object, for the endpoints that its clients know.
    """
    app = FastAPI(
        title="EchoKeypoints Label (research use only)",
        docs_url=None,
        redoc_url=None,
        dependencies=[
            Depends(HTTPBearer(auto_error=False))
        ],  # the gate checks it; this shows it on the API page
    )
    app.include_router(echo_router(service))
    app.include_router(stock_router(service, label_app))

    @app.exception_handler(Refusal)
    def refused(_: Request, refusal: Refusal) -> Response:
        return JSONResponse({"detail": refusal.sentence, **refusal.facts}, refusal.status)

    @app.exception_handler(EchoKeypointsError)
    def unusable(_: Request, error: EchoKeypointsError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        return JSONResponse({"detail": f"The request does not fit ({where}: {first['msg']})."}, 422)

    @app.middleware("http")
    async def failed(request: Request, call_next: Any) -> Response:
        try:
            return await call_next(request)
        except Exception:  # whatever it is, it goes to the log and not to the client
            reference = uuid4().hex[:8]
            logger.exception("request failed, reference %s", reference)
            return JSONResponse({"detail": f"The server failed; its log has more under {reference}."}, 500)

    return app
