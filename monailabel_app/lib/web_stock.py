"""The addresses that MONAI Label's own clients know, answered off the event loop and with checked arguments.

Label maps, sessions, archives, model uploads, configs and the proxy have no meaning for cines, or are not safe: they do
not exist here.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response
from requests_toolbelt import MultipartEncoder

from echo_keypoints.results import AnalysisResult, from_document
from echo_keypoints.tracking import Anchor
from echo_keypoints.writers.slicer import write_markups
from lib.catalogue import check_name, incoming
from lib.inference import read_points
from lib.labels import FINAL, check_annotator, check_tag
from lib.orders import OPTIONS
from lib.refusal import Refusal
from lib.service import Service

STOCK_ANNOTATOR = "stock client"
WAIT_S = 600.0


def stock_router(service: Service, label_app: Any) -> APIRouter:
    """Make the router."""
    router = APIRouter(tags=["MONAI Label"])

    @router.get("/auth/", summary="Whether MONAI Label's own log-in is used: never")
    def auth() -> dict[str, Any]:
        return {"enabled": False}

    @router.get("/datastore/", summary="All clips and labels")
    def datastore(output: str | None = None) -> Any:
        store = label_app.datastore()
        kinds = {"all": store.json, "train": store.datalist}
        return kinds.get(output or "", store.status)()

    @router.get("/datastore/image", summary="The file of a clip")
    @router.head("/datastore/image", include_in_schema=False)
    def image(image: str) -> Response:
        entry = service.inference.entry(image)
        media = "application/dicom" if entry.source.lower().endswith(".dcm") else "application/octet-stream"
        return FileResponse(service.catalogue.file(image), media_type=media, filename=entry.source)

    @router.get("/datastore/image/info", summary="About a clip")
    def image_info(image: str) -> dict[str, Any]:
        return service.clip(image)

    @router.put("/datastore/image", summary="Add a clip")
    @router.put("/datastore/", include_in_schema=False)
    async def add_image(file: UploadFile, image: str | None = None) -> dict[str, str]:
        name = (
            image if image and "." in image else f"{image or ''}{_ending(file.filename or '', bool(image))}"
        )
        check_name(name)
        with incoming(service.catalogue.incoming, name) as part:
            with part.open("wb") as stream:
                while block := await file.read(1 << 20):
                    await asyncio.to_thread(stream.write, block)
            entry = await asyncio.to_thread(service.catalogue.add, name, part)
        return {"image": entry.id}

    @router.get("/datastore/label", summary="The newest label of a tag, as result.json")
    @router.head("/datastore/label", include_in_schema=False)
    def download_label(label: str = Query("", alias="label"), image: str = "", tag: str = FINAL) -> Response:
        clip_id = label or image
        service.inference.entry(clip_id)
        path = service.labels.copy(clip_id, check_tag(tag))
        if not path.is_file():
            raise Refusal(404, f"That clip has no {tag} label.")
        return FileResponse(path, media_type="application/json", filename="label.json")

    @router.get("/datastore/label/info", summary="About the newest label of a tag")
    def label_info(label: str, tag: str = FINAL) -> dict[str, Any]:
        return dict(service.label(label, check_tag(tag), None, None)["info"])

    @router.put("/datastore/label", summary="Save a label: a result.json of ours")
    def save_label(
        image: str,
        request: Request,
        label: UploadFile,
        tag: str = FINAL,
        params: str = Form("{}"),
    ) -> dict[str, Any]:
        version = service.save(
            image,
            _json(label.file.read(), "The label must be a result.json of EchoKeypoints"),
            tag=tag or FINAL,
            annotator=_annotator(request, _json(params, "params must be JSON")),
            base_version=None,
        )
        return {"image": image, "label": image, "version": version.version}

    @router.post("/activelearning/{strategy}", summary="Which clip to annotate next")
    def next_sample(strategy: str, request: Request, params: dict[str, Any] | None = None) -> Any:
        given = params or {}
        seed = given.get("seed")
        answer = service.next_sample(
            strategy, _annotator(request, given), seed if isinstance(seed, int) and seed >= 0 else None
        )
        clip = answer["clip"]
        if clip is None:
            return {}
        return {**answer, "id": clip["id"], "name": clip["source"], "path": clip["source"], "clip": clip}

    @router.post("/infer/{model}", summary="Analyse a clip: result as JSON, and a frame as Slicer markups")
    def infer(
        model: str,
        image: str = "",
        params: str = Form("{}"),
        output: str | None = None,
        file: UploadFile | None = None,
    ) -> Response:
        if file is not None or not image:
            raise Refusal(422, "Name a clip of the datastore (image=…); files are not analysed in passing.")
        given = _json(params, "params must be JSON")
        anchors = [Anchor(*read_points(anchor)) for anchor in given.get("anchors") or []]
        saves = str(given.get("save_label", "")).lower() == "true"
        job = service.analyse(model, image, anchors=anchors, save=saves)
        job.ended.wait(WAIT_S)
        if job.state != "done" or job.result is None:
            raise Refusal(422, job.message or "The analysis takes too long; it goes on, ask again.")
        result = from_document(job.result)
        frame = given.get("frame", result.reference_frame)
        if not isinstance(frame, int) or not 0 <= frame < result.clip.frame_count:
            raise Refusal(422, f"frame must be a number from 0 to {result.clip.frame_count - 1}.")
        if output == "json":
            return JSONResponse(job.result)
        markups = _markups(result, frame)
        if output == "image":
            return Response(
                markups,
                media_type="application/json",
                headers={"Content-Disposition": f'attachment; filename="frame_{frame}.mrk.json"'},
            )
        parts = {
            "params": (None, json.dumps(job.result), "application/json"),
            "image": (f"frame_{frame}.mrk.json", markups, "application/json"),
        }
        multipart = MultipartEncoder(fields=parts)
        return Response(multipart.to_string(), media_type=multipart.content_type)

    @router.post(
        "/batch/infer/{model}", summary="Analyse all clips that have no label, and keep the originals"
    )
    def batch(model: str) -> dict[str, Any]:
        return service.analyse_new(model)

    @router.get("/train/", summary="How the training does")
    def training() -> dict[str, Any]:
        status = service.trainings.status()
        if status["state"] == "idle":
            raise Refusal(404, "There was no training yet.")
        words = {"running": "RUNNING", "done": "DONE"}
        return {**status, "status": words.get(status["state"], "ERROR"), "details": status["log"]}

    @router.post("/train/{model}", summary="Fine-tune a network")
    def train(model: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        given = dict(params or {})
        given = given.get(model, given)
        options = {k: v for k, v in given.items() if k in OPTIONS}
        return service.trainings.start(model, options, resume=bool(given.get("resume")))

    @router.delete("/train/", summary="Stop the training")
    def stop() -> dict[str, Any]:
        return service.trainings.stop()

    @router.get("/scoring/", summary="Scores of all labels")
    @router.post("/scoring/{method}", include_in_schema=False)
    def scoring(method: str = "all") -> dict[str, Any]:
        return service.scores()

    return router


def _markups(result: AnalysisResult, frame: int) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frame.mrk.json"
        write_markups(result, frame, path)
        return path.read_text(encoding="utf-8")


def _annotator(request: Request, params: dict[str, Any]) -> str:
    """The token's annotator, or the client's id (that of the stock Slicer module is the user's name)."""
    given = params.get("client_id") or STOCK_ANNOTATOR
    return str(request.state.annotator or check_annotator(str(given)))


def _json(text: str | bytes, problem: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(422, f"{problem}.")
    return value


def _ending(filename: str, only: bool) -> str:
    """The name of an uploaded file without folders, or only its ending."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return f".{name.rpartition('.')[2]}" if only else name
