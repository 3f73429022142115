"""The endpoints under ``/echo``: what our client speaks (`echo_keypoints.label_client`, docs/developer.md)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from echo_keypoints.tracking import Anchor
from lib.catalogue import check_name, incoming
from lib.inference import read_points
from lib.jobs import Job
from lib.labels import FINAL, check_annotator
from lib.refusal import Refusal
from lib.service import Service


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NextBody(_Body):
    """Which strategy, for whom."""

    strategy: str = "informed"
    annotator: str = ""
    seed: int | None = Field(None, ge=0)


class InferBody(_Body):
    """What to analyse: see `LabelClient.infer`."""

    clip: str
    anchors: list[dict[str, Any]] = Field([], max_length=10_000)
    query: dict[str, Any] | None = None
    reference: str | int = "confidence"
    save: bool = False


class LabelBody(_Body):
    """A label to save: see `LabelClient.save_label`."""

    annotator: str
    tag: str = FINAL
    base_version: int = Field(ge=0)
    independent: bool = False
    result: dict[str, Any]


class LockBody(_Body):
    """Who takes a clip, and for how long."""

    annotator: str
    minutes: int = 30


class TrainBody(_Body):
    """What to train: see `LabelClient.start_training`."""

    model: str = "sknet"
    resume: bool = False
    options: dict[str, float] = {}


class ServeBody(_Body):
    """Which version is to serve."""

    version: int


def echo_router(service: Service) -> APIRouter:
    """Make the router."""
    router = APIRouter(prefix="/echo", tags=["EchoKeypoints"])

    @router.get("/info", summary="What the server is")
    def info(request: Request) -> dict[str, Any]:
        return service.info() | {"annotator": request.state.annotator}

    @router.get("/clips", summary="All clips with their states, locks and versions")
    def clips() -> dict[str, Any]:
        return {"clips": service.clips()}

    @router.get("/clip", summary="One clip")
    def clip(id: str) -> dict[str, Any]:
        return service.clip(id)

    @router.get("/clip/file", summary="The file of a clip, as it is")
    def clip_file(id: str) -> Response:
        source = service.inference.entry(id).source
        path = service.catalogue.file(id)
        etag = f'"{service.inference.digests.of(path)}"'
        return FileResponse(
            path, media_type="application/octet-stream", filename=source, headers={"ETag": etag}
        )

    @router.get("/clip/digest", summary="SHA-256 of the file of a clip")
    def clip_digest(id: str) -> dict[str, str]:
        service.inference.entry(id)
        return {"sha256": service.inference.digests.of(service.catalogue.file(id))}

    @router.put("/clip/file", summary="Add a clip: the body is its file")
    async def upload(name: str, request: Request) -> dict[str, Any]:
        check_name(name)
        with incoming(service.catalogue.incoming, name) as part:
            with part.open("wb") as stream:
                async for block in request.stream():
                    await asyncio.to_thread(stream.write, block)
            entry = await asyncio.to_thread(service.catalogue.add, name, part)
        return service.clip(entry.id)

    @router.post("/next", summary="Which clip, and which of its frames, to annotate next")
    def next_sample(body: NextBody, request: Request) -> dict[str, Any]:
        annotator = body.annotator or request.state.annotator or ""
        return service.next_sample(body.strategy, annotator, body.seed)

    @router.post("/infer/{task}", summary="Start an analysis: sknet, trnet or refine")
    def infer(task: str, body: InferBody, wait_s: float = 0.0) -> Response:
        job = service.analyse(
            task,
            body.clip,
            anchors=[Anchor(*read_points(anchor)) for anchor in body.anchors],
            query=read_points(body.query) if body.query else None,
            reference=body.reference,
            save=body.save,
        )
        return _answer(service.jobs.get(job.id, wait_s))

    @router.get("/job", summary="How an analysis does; wait_s seconds are waited for its end")
    def job(id: str, wait_s: float = 0.0) -> Response:
        return _answer(service.jobs.get(id, wait_s))

    @router.delete("/job", summary="Cancel an analysis")
    def cancel(id: str) -> Response:
        return _answer(service.jobs.cancel(id))

    @router.get("/label", summary="A label: the newest that fits")
    def label(
        id: str, tag: str | None = None, annotator: str | None = None, version: int | None = None
    ) -> dict[str, Any]:
        return service.label(id, tag, annotator, version)

    @router.put("/label", summary="Save a label as a new version")
    def save_label(id: str, body: LabelBody, request: Request) -> dict[str, Any]:
        version = service.save(
            id,
            body.result,
            tag=body.tag,
            annotator=known_annotator(request, body.annotator),
            base_version=body.base_version,
            independent=body.independent,
        )
        return asdict(version)

    @router.put("/lock", summary="Take a clip, or hold it longer")
    def lock(id: str, body: LockBody, request: Request) -> dict[str, str]:
        service.inference.entry(id)
        annotator = known_annotator(request, body.annotator)
        return service.locks.take(id, annotator, body.minutes).to_document()

    @router.delete("/lock", summary="Free a clip")
    def unlock(id: str, annotator: str, request: Request) -> dict[str, Any]:
        service.locks.give(id, known_annotator(request, annotator))
        return {}

    @router.post("/train", summary="Fine-tune sknet, placenet or trnet")
    def train(body: TrainBody) -> dict[str, Any]:
        return service.trainings.start(body.model, body.options, resume=body.resume)

    @router.get("/train", summary="How the training does")
    def training() -> dict[str, Any]:
        return service.trainings.status()

    @router.delete("/train", summary="Stop the training; it can be resumed")
    def stop() -> dict[str, Any]:
        return service.trainings.stop()

    @router.get("/models", summary="All model versions")
    def models() -> dict[str, Any]:
        return {"versions": service.model_versions()}

    @router.put("/models/serving", summary="Let another version serve: roll back, or forward again")
    def serve(body: ServeBody) -> dict[str, Any]:
        return service.serve_model(body.version)

    @router.get("/scores", summary="Scores of labels and readers, and their agreement")
    def scores() -> dict[str, Any]:
        return service.scores()

    return router


def known_annotator(request: Request, given: str) -> str:
    """Name the annotator: the token's own, which nobody else may use, or the one that was given.

    Raises:
        Refusal: 403, the token is another annotator's; 422, it is no name.
    """
    owner = request.state.annotator
    if owner and given not in ("", owner):
        raise Refusal(403, f"The token is {owner}'s; save and lock under that name.")
    return check_annotator(owner or given)


def _answer(job: Job) -> Response:
    return JSONResponse(job.to_document(), 200 if job.ended.is_set() else 202)
