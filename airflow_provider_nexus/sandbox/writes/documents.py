"""The document store: its settings, files and types of documents."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, not_found, success
from airflow_provider_nexus.sandbox.data.children import document_type
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Listed, Record, blank
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks, lists

DOCUMENTS, TYPES = "documents", "document_types"
_NEEDED = ("filePath", "customerCode", "documentStoreTypeCode")
_ABOUT = ("alias", "description", "itemReference")


def _create_store(world: World, call: ApiCall) -> ApiAnswer:
    if world.store is not None:
        raise Refusal(world.settings.duplicate_status, "DocumentStoreExists", "There is a document store", ["It exists already"])
    world.store = blank("document_store", **_store_values(call.json()))
    return success(world.store)


def _change_store(world: World, call: ApiCall) -> ApiAnswer:
    world.store = {**world.known_store(), **_store_values(call.json())}
    return success(world.store)


def _store_values(body: checks.Body) -> Record:
    """Null changes nothing; the key of the share is not shown."""
    given = checks.given(body, "name", "description", "documentStoreType", "maxFileSizeInMB", "maxFileCount")
    share = checks.text(body.get("parameters") or {}, "shareName")
    return given | ({"shareName": share} if share else {})


def _delete_store(world: World, call: ApiCall) -> ApiAnswer:  # noqa: ARG001
    world.known_store()
    world.store = None
    return success(None)


def _form(call: ApiCall) -> dict[str, Message]:
    """The parts of a multipart form by their names in lower case; any other body is refused."""
    kind = call.headers.get("content-type", "")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + call.body)
    if message.get_content_type() != "multipart/form-data":
        raise Refusal(400, "InvalidRequestBody", "The request body is no multipart form", ["send multipart/form-data"])
    return {
        str(part.get_param("name", "", "content-disposition")).lower(): part for part in message.walk() if part is not message
    }


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _upload(world: World, call: ApiCall) -> ApiAnswer:
    form = _form(call)
    fields = {name: _content(form[name.lower()]).decode() for name in (*_NEEDED, *_ABOUT) if name.lower() in form}
    missing = [f"{name} is required" for name in ("file", *_NEEDED) if name.lower() not in form or not fields.get(name, "x")]
    if missing:
        raise checks.invalid(*missing)
    customer = world.found("customers", fields["customerCode"], call.at)
    path, content = fields["filePath"], _content(form["file"])
    if world.children(DOCUMENTS, customer, call.at).find(path, call.at) is not None:
        raise Refusal(409, "DocumentExists", f"There is a file {path!r}", [f"filePath {path} exists"])
    record: Record = {
        "filePath": path,
        "fileName": str(form["file"].get_filename() or path.rpartition("/")[2]),
        "documentStoreType": _type_named(world, fields["documentStoreTypeCode"], call),
        **{name: fields.get(name) for name in _ABOUT},
        "customerCode": world.customers.code(customer),
        "state": "Uploaded",
        "fileSizeInMB": f"{len(content) / 1_048_576:.2f}",
        "createdOn": Stamp(call.at),
        "updatedOn": None,
    }
    world.children(DOCUMENTS, customer, call.at, to_change=True).append("filePath", record, call.at)
    world.files[path] = content
    return success(world.answered(call, DOCUMENTS, record))


def _type_named(world: World, code: str, call: ApiCall) -> Record:
    known = world.lists[TYPES].record(world.found(TYPES, code, call.at), call.at)
    return document_type(known["code"], known["name"])


def _file(world: World, path: str, call: ApiCall) -> tuple[Listed, int]:
    """The files of a customer and the place of the one at a path, or 404."""
    for customer in world.customers.rows(None, None, call.at):
        place = world.children(DOCUMENTS, customer, call.at).find(path, call.at)
        if place is not None:
            return world.children(DOCUMENTS, customer, call.at, to_change=True), place
    raise not_found("Document", path)


def _download(world: World, call: ApiCall) -> ApiAnswer:
    """The bytes of a file, without the envelope."""
    path = call.query.get("filepath", "")
    _file(world, path, call)
    content = world.files.get(path, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + path.encode())
    return ApiAnswer(200, content, media="application/pdf" if content.startswith(b"%PDF") else "application/octet-stream")


def _describe(world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    files, place = _file(world, str(body["filepath"]), call)
    values: Record = {**checks.given(body, *_ABOUT), "updatedOn": Stamp(call.at)}
    if body.get("documentstoretypecode"):
        values["documentStoreType"] = _type_named(world, str(body["documentstoretypecode"]), call)
    files.entries[place].changes.update(values)
    return lists.answer(world, call, DOCUMENTS, files.entries[place])


def _remove(world: World, call: ApiCall) -> ApiAnswer:
    path = call.query.get("filepath", "")
    files, place = _file(world, path, call)
    del files.entries[place]
    world.files.pop(path, None)
    return success(None)


def _add_type(world: World, call: ApiCall) -> ApiAnswer:
    record: Record = blank(TYPES, **checks.texts(call.json(), ("name", "code", "description")), createdOn=Stamp(call.at))
    lists.refuse_known(world, call, TYPES, record["code"])
    return success(world.answered(call, TYPES, world.lists[TYPES].append("code", record, call.at)))


def _change_type(world: World, call: ApiCall) -> ApiAnswer:
    values: Record = {**checks.given(call.json(), "name", "description"), "updatedOn": Stamp(call.at)}
    return lists.changed(world, call, TYPES, values)


_STORE = "/integrations/documentstore"
ROUTES = (
    Route("POST", _STORE, _create_store, writes=True),
    Route("PUT", _STORE, _change_store, writes=True),
    Route("DELETE", _STORE, _delete_store, writes=True),
    Route("GET", f"{_STORE}/file", _download),
    Route("POST", f"{_STORE}/file", _upload, writes=True),
    Route("PUT", f"{_STORE}/file", _describe, writes=True),
    Route("DELETE", f"{_STORE}/file", _remove, writes=True),
    Route("POST", f"{_STORE}/type", _add_type, writes=True),
    Route("PUT", f"{_STORE}/type/{{code}}", _change_type, writes=True),
    Route("DELETE", f"{_STORE}/type/{{code}}", lists.removal(TYPES), writes=True),
)
"""The document store."""
