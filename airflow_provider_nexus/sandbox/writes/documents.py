"""The document store: its settings, files and types of documents."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, not_found, success
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Moment, Record, changed, written
from airflow_provider_nexus.sandbox.data import cabinet
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body

DOCUMENTS, TYPES = "documents", "document_types"
_NEEDED = ("filePath", "customerCode", "documentStoreTypeCode")
_ABOUT = ("alias", "description", "itemReference")


def _refuse_no_store(world: World) -> None:
    if world.cabinet.store is None:
        raise Refusal(404, "DocumentStoreNotFound", "There is no document store")


def _create_store(world: World, call: Call) -> Answer:
    if world.cabinet.store is not None:
        raise Refusal(world.settings.duplicate_status, "DocumentStoreExists", "There is a document store", ["It exists already"])
    blank: Record = dict.fromkeys(("name", "description", "documentStoreType", "shareName", "maxFileSizeInMB", "maxFileCount"))
    world.cabinet.store = blank | _store_values(call.json())
    return success(world.cabinet.store, 1)


def _change_store(world: World, call: Call) -> Answer:
    _refuse_no_store(world)
    world.cabinet.store = {**(world.cabinet.store or {}), **_store_values(call.json())}
    return success(world.cabinet.store, 1)


def _store_values(body: Body) -> Record:
    """Null leaves a setting alone; the key of the share is kept to itself."""
    names = ("name", "description", "documentStoreType", "maxFileSizeInMB", "maxFileCount")
    given = {name: body[name.lower()] for name in names if body.get(name.lower()) is not None}
    share = checks.text(body.get("parameters") or {}, "shareName")
    return given | ({"shareName": share} if share else {})


def _delete_store(world: World, call: Call) -> Answer:  # noqa: ARG001
    _refuse_no_store(world)
    world.cabinet.store = None
    return success(None)


def _form(call: Call) -> dict[str, Message]:
    """The parts of a multipart form by their names in lower case.

    :raises Refusal: when the body is no such form
    """
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


def _upload(world: World, call: Call) -> Answer:
    form = _form(call)
    fields = {name: _content(form[name.lower()]).decode() for name in (*_NEEDED, *_ABOUT) if name.lower() in form}
    missing = [f"{name} is required" for name in ("file", *_NEEDED) if name.lower() not in form or not fields.get(name, "x")]
    if missing:
        raise checks.refuse("ValidationError", "The request is not valid", *missing)
    customer = world.customers.find(fields["customerCode"], call.at)
    if customer is None:
        raise not_found("Customer", fields["customerCode"])
    path, content = fields["filePath"], _content(form["file"])
    listed = world.offspring.open(DOCUMENTS, customer)
    if listed.find(path, call.at) is not None:
        raise Refusal(409, "DocumentExists", f"There is a file {path!r}", [f"filePath {path} exists"])
    record: Record = {
        "filePath": path,
        "fileName": str(form["file"].get_filename() or path.rpartition("/")[2]),
        "documentStoreType": _type_named(world, fields["documentStoreTypeCode"], call),
        **{name: fields.get(name) for name in _ABOUT},
        "customerCode": world.customers.code(customer),
        "state": "Uploaded",
        "fileSizeInMB": f"{len(content) / 1_048_576:.2f}",
        "createdOn": Moment(call.at),
        "updatedOn": None,
    }
    make = written(record)
    entry = Entry(path, lambda at, form: world.fitted(DOCUMENTS, make(at, form)), call.at)
    world.offspring.keep(DOCUMENTS, customer, Listed([*listed.entries, entry]))
    world.cabinet.files[path] = content
    return success(entry.make(call.at, call.form(DOCUMENTS)), 1)


def _type_named(world: World, code: str, call: Call) -> Record:
    types = world.register(TYPES)
    place = types.find(code, call.at)
    if place is None:
        raise not_found("DocumentType", code)
    known = types.entries[place].make(call.at, call.form(TYPES))
    return {"Code": known["code"], "Name": known["name"], "OtherDescription": None}


def _file(world: World, path: str, call: Call) -> tuple[int, Listed, int]:
    """The customer, the customer's files and the place of the one at a path.

    :raises Refusal: 404 when there is none
    """
    for customer in world.customers.rows(None, None, call.at):
        listed = world.offspring.open(DOCUMENTS, customer)
        place = listed.find(path, call.at)
        if place is not None:
            return customer, listed, place
    raise not_found("Document", path)


def _download(world: World, call: Call) -> Answer:
    """The bytes of a file, without the envelope."""
    path = call.query.get("filepath", "")
    _file(world, path, call)
    content = world.cabinet.files.get(path, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + path.encode())
    return Answer(200, content, media="application/pdf" if content.startswith(b"%PDF") else "application/octet-stream")


def _describe(world: World, call: Call) -> Answer:
    body = call.json()
    customer, listed, place = _file(world, str(body["filepath"]), call)
    values: Record = {name: body[name.lower()] for name in _ABOUT if body.get(name.lower()) is not None}
    if body.get("documentstoretypecode"):
        values["documentStoreType"] = _type_named(world, str(body["documentstoretypecode"]), call)
    entries = list(listed.entries)
    entries[place] = changed(entries[place], {**values, "updatedOn": Moment(call.at)})
    world.offspring.keep(DOCUMENTS, customer, Listed(entries))
    return success(world.fitted(DOCUMENTS, entries[place].make(call.at, call.form(DOCUMENTS))), 1)


def _remove(world: World, call: Call) -> Answer:
    path = call.query.get("filepath", "")
    customer, listed, place = _file(world, path, call)
    world.offspring.keep(DOCUMENTS, customer, Listed([*listed.entries[:place], *listed.entries[place + 1 :]]))
    world.cabinet.files.pop(path, None)
    return success(None)


def _type_place(world: World, call: Call) -> tuple[Listed, int]:
    types = world.register(TYPES)
    place = types.find(call.parts["code"], call.at)
    if place is None:
        raise not_found("DocumentType", call.parts["code"])
    return types, place


def _add_type(world: World, call: Call) -> Answer:
    body, types = call.json(), world.register(TYPES)
    code = str(body["code"])
    if types.find(code, call.at) is not None:
        raise Refusal(world.settings.duplicate_status, "DocumentTypeExists", f"{code!r} exists already", [f"code {code} exists"])
    made = {"createdOn": Moment(call.at), "updatedOn": None}
    texts = {name: checks.text(body, name) for name in ("name", "code", "description")}
    types.entries.append(cabinet.entry("code", {**texts, **made}, call.at))
    return success(types.entries[-1].make(call.at, call.form(TYPES)), 1)


def _change_type(world: World, call: Call) -> Answer:
    types, place = _type_place(world, call)
    body = call.json()
    values: Record = {name: body[name] for name in ("name", "description") if body.get(name) is not None}
    types.entries[place] = changed(types.entries[place], {**values, "updatedOn": Moment(call.at)})
    return success(types.entries[place].make(call.at, call.form(TYPES)), 1)


def _remove_type(world: World, call: Call) -> Answer:
    types, place = _type_place(world, call)
    del types.entries[place]
    return success(None)


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
    Route("DELETE", f"{_STORE}/type/{{code}}", _remove_type, writes=True),
)
"""The document store."""
