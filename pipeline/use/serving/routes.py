"""The paths of the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import python_multipart  # noqa: F401  FastAPI reads forms with it, and asks for it too late
from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from pipeline.data.samples import NOUNS
from pipeline.use.serving.inputs import Batch
from pipeline.use.serving.limits import Refusal, Refused, WholeBody, WholeJson, check_encoding
from pipeline.use.serving.metrics import MEDIA_TYPE
from pipeline.use.serving.nearest_items import NearestItems
from pipeline.use.serving.prediction import Prediction
from pipeline.use.serving.reasons import Reasons
from pipeline.use.serving.service import Service

router = APIRouter(route_class=WholeBody)
json_router = APIRouter(route_class=WholeJson)
index_router = APIRouter(route_class=WholeBody)  # where an index is served, too
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
Statuses = dict[int | str, dict[str, Any]]
REFUSALS: Statuses = {
    status: {"model": Refused, "description": words}
    for status, words in {
        400: "The request cannot be read",
        403: "Sent by a page of another site",
        408: "The request took too long to arrive",
        413: "The request is too large",
        415: "The request is of another kind",
        421: "Sent to a name that the server is not known by",
        422: "The request breaks a rule",
        500: "The model failed",
        503: "Too much waits already, or the model took too long",
    }.items()
}


def _of(*statuses: int) -> Statuses:
    described: Statuses = {status: REFUSALS[status] for status in (400, 403, 421, *statuses)}
    return {200: {"description": "As asked for"}} | described


def _example(command: str) -> dict[str, Any]:
    return {"x-codeSamples": [{"lang": "Shell", "source": command}]}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _is_form(request: Request) -> None:
    kind = request.headers.get("content-type", FORMS[0]).partition(";")[0].strip().lower()
    if kind not in FORMS:
        raise Refusal(
            415, f"a form is asked for here ({FORMS[0]}), with picture and text; JSON goes to "
            "/predict/batch", "content-type",
        )
    form = await request.form()
    texts = [value for _, value in form.multi_items() if isinstance(value, str)]
    check_encoding(request.headers.get("content-type", FORMS[0]), await request.body(), texts)
    twice = [name for name in Question.model_fields if len(form.getlist(name)) > 1]
    if twice:
        raise Refusal(422, f"the field {twice[0]} is there more than once", "fields")


Served = Annotated[Service, Depends(_service)]


def _without_null(schema: dict[str, Any]) -> None:
    """Say what a form can hold: a field is there or not, but never null."""
    for described in schema["properties"].values():
        described.update(described.pop("anyOf")[0])


class Question(BaseModel):
    """An item to predict."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_null)

    picture: UploadFile | None = Field(
        None, description="A PNG, JPEG, WebP, GIF, BMP or TIFF file."
    )
    text: str | None = Field(None, description="The text.")

    async def content(self) -> bytes | None:
        """The picture's file."""
        return None if self.picture is None else await self.picture.read()


class Health(BaseModel):
    """Whether the server predicts, and with what."""

    ready: bool
    model: str = Field(description="The name of the comparison and of the cell that won it.")


class ModelFacts(BaseModel):
    """What is known of the model."""

    about: dict[str, Any] = Field(description="Its name, data, scores and versions.")
    classes: list[str]
    modalities: list[str] = Field(description="What it looks at: picture, text or both.")
    limits: dict[str, int | float] = Field(description="How much a request may ask for.")


@router.post(
    "/predict", summary="The classes of an item", dependencies=[Depends(_is_form)],
    responses=_of(408, 413, 415, 422, 500, 503),
    openapi_extra=_example(
        'curl -F picture=@photo.jpg -F text="a red armchair" http://localhost:8000/predict'
    ),
)
async def predict(
    service: Served, question: Annotated[Question, Form(media_type=FORMS[0])]
) -> Prediction:
    """Probabilities of a picture, a text or both; what the model does not look at is ignored."""
    return await service.predict(await question.content(), question.text)


@router.post(
    "/explain", summary="What the prediction of an item rests on",
    dependencies=[Depends(_is_form)], responses=_of(408, 413, 415, 422, 500, 503),
    openapi_extra=_example(
        'curl -F picture=@photo.jpg -F text="a red armchair" http://localhost:8000/explain'
    ),
)
async def explain(
    service: Served, question: Annotated[Question, Form(media_type=FORMS[0])]
) -> Reasons:
    """What picture and text add to the class's probability, and what a network attended to."""
    return await service.reasons(await question.content(), question.text)


@index_router.post(
    "/nearest", summary="The items of the index that are most like an item",
    dependencies=[Depends(_is_form)], responses=_of(408, 413, 415, 422, 500, 503),
    openapi_extra=_example(
        'curl -F picture=@photo.jpg -F text="a red armchair" http://localhost:8000/nearest'
    ),
)
async def nearest(
    service: Served, question: Annotated[Question, Form(media_type=FORMS[0])]
) -> NearestItems:
    """By picture, text or both, each compared in its own space."""
    return await service.nearest(await question.content(), question.text)


@json_router.post(
    "/predict/batch", summary="The classes of several items",
    responses=_of(408, 413, 415, 422, 503),
    openapi_extra=_example(
        "curl -H 'Content-Type: application/json' "
        "-d '{\"items\": [{\"text\": \"a red armchair\"}, {\"text\": \"a lamp\"}]}' "
        "http://localhost:8000/predict/batch"
    ),
)
async def predict_batch(service: Served, batch: Batch) -> list[Prediction]:
    """A prediction of each item, in their order; what is wrong with an item harms no other."""
    return await service.predict_batch(batch.items)


@router.get("/model", summary="What is known of the model", responses=_of())
async def model(service: Served) -> ModelFacts:
    """Where it comes from, its classes, what it looks at, and how much may be asked for."""
    bundle = service.bundle
    return ModelFacts(
        about=dict(bundle.about),
        classes=list(bundle.classes),
        modalities=[NOUNS[modality] for modality in bundle.cell.modalities],
        limits=asdict(service.limits),
    )


@router.get("/card", summary="The model card", response_class=PlainTextResponse, responses=_of())
async def card(service: Served) -> str:
    """What the model is, what it learned from, how good it is, and its limits, as Markdown."""
    return service.card


@router.get(
    "/health", summary="Whether the server predicts",
    responses={**_of(), 503: {"model": Health, "description": "It no longer predicts"}},
)
async def health(service: Served, response: Response) -> Health:
    """Status 200 where it does, 503 where it no longer does."""
    response.status_code = 200 if service.is_ready else 503
    about = service.bundle.about
    name = ": ".join(str(about[key]) for key in ("run", "cell") if key in about)
    return Health(ready=service.is_ready, model=name)


@router.get(
    "/metrics", summary="What happened so far", response_class=PlainTextResponse, responses=_of()
)
async def metrics(service: Served) -> Response:
    """Requests, predictions, batches and times, in the text format of Prometheus."""
    return PlainTextResponse(service.metrics.text(), media_type=MEDIA_TYPE)
