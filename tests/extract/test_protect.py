from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.resource import DateFilter, Resource
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.api.schemas.field import Schema, many, mapping, nested, text, time
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract.protect import Protection, Protector, Treatment

SECRET = "a secret of the tests"
TREATMENTS: tuple[Treatment, ...] = ("hash", "mask", "drop")
CANARY = "Jan-van-den-Canary"
DEEP = Resource(
    name="deep",
    path="/deep",
    key=("code",),
    schema=Schema(
        "deep",
        (
            text("code", "Code"),
            time("created", "Created"),
            nested(
                "owner", "Owner", text("name", "Name", personal=True), nested("home", "Home", text("street", "S", personal=True))
            ),
            many("persons", "Persons", text("name", "Name", personal=True), text("role", "Role")),
            many("nicknames", "Nicknames", personal=True),
            mapping("accounts", "By currency", text("iban", "IBAN", personal=True), text("bank", "Bank")),
            mapping("data", "Free", personal=True),
        ),
    ),
    meaning="A resource with everything",
    created=DateFilter("from", "to"),
)


def protector(resource: str | Resource, personal: Treatment = "keep", **fields: Treatment) -> Protector:
    found = get_resource(resource) if isinstance(resource, str) else resource
    dotted = {name.replace("__", "."): treatment for name, treatment in fields.items()}
    return Protector(found, Protection(personal, dotted, SECRET))


def hashed(value: str) -> str:
    return "h:" + hmac.digest(SECRET.encode(), value.encode(), "sha256").hex()[:32]


def treated(what: Protector, record: dict[str, Any]) -> Any:
    return json.loads(what.raw(json.dumps(record).encode()))


def members(raw: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items()}


def test_nothing_to_do_is_idle_and_returns_the_same_text() -> None:
    raw = b'{ "email" : "x" }'
    for idle in (protector("customers"), protector("orders", "hash"), protector("customers", email="keep")):
        assert idle.is_idle
        assert not idle.changes_key
        assert idle.raw(raw) is raw
    assert not protector("customers", "hash").is_idle


def test_hash_is_keyed_and_cut_to_128_bits() -> None:
    assert treated(protector("customers", email="hash"), {"email": "jan@x.nl"}) == {"email": hashed("jan@x.nl")}
    other = Protector(get_resource("customers"), Protection(fields={"email": "hash"}, secret="another secret"))
    assert treated(other, {"email": "jan@x.nl"}) != {"email": hashed("jan@x.nl")}
    assert hashlib.sha256(b"jan@x.nl").hexdigest()[:32] not in hashed("jan@x.nl")


def test_the_same_value_has_the_same_hash_everywhere() -> None:
    expected = {"customerCode": hashed("C1")}
    for name in ("customers", "transactions", "accounts", "buckets"):
        assert treated(protector(name, "hash"), {"customerCode": "C1"}) == expected
    assert treated(protector("mails", "hash"), {"references": {"customerCode": "C1"}}) == {"references": expected}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"\\u0041\\/b"', "A/b"),
        (b'"Zo\xc3\xab"', "Zoë"),
        (b'"Zo\\u00eb"', "Zoë"),
        (b'"a\\"b"', 'a"b'),
        (b"1.50", "1.50"),
        (b"12", "12"),
        (b"true", "true"),
        (b'{"a": "b"}', '{"a": "b"}'),
        (b'["x"]', '["x"]'),
    ],
)
def test_a_text_is_hashed_as_it_reads_and_all_else_as_it_is_written(raw: bytes, text: str) -> None:
    assert json.loads(protector("customers", email="hash").raw(b'{"email":' + raw + b"}")) == {"email": hashed(text)}


@pytest.mark.parametrize("raw", [b'"\xff no utf-8"', b'"\\n\xff"'])
def test_a_text_that_is_none_is_hashed_all_the_same(raw: bytes) -> None:
    found = json.loads(protector("customers", email="hash").raw(b'{"email":' + raw + b"}"))["email"]
    assert found.startswith("h:")
    assert len(found) == 34


def test_mask_and_drop() -> None:
    record = {"email": "jan@x.nl", "phone": 31, "city": None, "state": ""}
    fields: dict[str, Treatment] = dict.fromkeys(record, "mask")
    assert treated(protector("customers", **fields), record) == {"email": "***", "phone": "***", "city": None, "state": ""}
    fields = dict.fromkeys(record, "drop")
    assert treated(protector("customers", **fields), record) == dict.fromkeys(record)


@pytest.mark.parametrize("treatment", ["hash", "mask"])
def test_nothing_stays_nothing(treatment: Treatment) -> None:
    raw = b'{"email":null,"name":"","other":1}'
    assert protector("customers", treatment, customerCode="keep").raw(raw) == raw


def test_a_missing_member_stays_missing() -> None:
    assert protector("customers", email="drop").raw(b'{ "a": 1 }') == b'{ "a": 1 }'


@pytest.mark.parametrize("treatment", ["hash", "mask"])
def test_personal_fields_that_are_no_text_are_dropped(treatment: Treatment) -> None:
    record = {"dateOfBirth": "1980-01-02", "data": {"iban": "NL1"}, "countryCode": "NL"}
    found = treated(protector("customers", treatment, customerCode="keep"), record)
    assert found == {"dateOfBirth": None, "data": None, "countryCode": "NL"}


def test_names_compare_without_case_and_win_over_personal() -> None:
    what = protector("customers", "drop", CUSTOMERCODE="hash", Email="keep", COUNTRYcode="mask")
    record = {"customercode": "C1", "EMAIL": "x", "countryCode": "NL", "countrycode": "NL", "Name": "Jan"}
    assert treated(what, record) == {
        "customercode": hashed("C1"),
        "EMAIL": "x",
        "countryCode": "***",
        "countrycode": "***",
        "Name": None,
    }
    assert treated(what, {"cUSTOMERcODE": "C1"}) == {"cUSTOMERcODE": hashed("C1")}


def test_places_inside_objects_lists_and_maps() -> None:
    record = {
        "code": "A",
        "owner": {"name": "Jan", "age": 3, "home": {"street": "S", "n": 1}},
        "persons": [{"name": "An", "role": "r"}, None, {"role": "r"}],
        "nicknames": ["J"],
        "accounts": {"EUR": {"iban": "NL1", "bank": "B"}, "iban": {"iban": "NL2"}, "USD": None},
        "data": {"k": "v"},
    }
    assert treated(protector(DEEP, "hash"), record) == {
        "code": "A",
        "owner": {"name": hashed("Jan"), "age": 3, "home": {"street": hashed("S"), "n": 1}},
        "persons": [{"name": hashed("An"), "role": "r"}, None, {"role": "r"}],
        "nicknames": None,
        "accounts": {"EUR": {"iban": hashed("NL1"), "bank": "B"}, "iban": {"iban": hashed("NL2")}, "USD": None},
        "data": None,
    }


@pytest.mark.parametrize("value", [f'"{CANARY}"', "12", f'["{CANARY}"]', f'[["{CANARY}"]]', "true"])
@pytest.mark.parametrize("holder", ["owner", "persons", "accounts"])
def test_what_should_hold_personal_fields_and_can_not_is_dropped(holder: str, value: str) -> None:
    found = json.loads(protector(DEEP, "mask").raw(f'{{"{holder}":{value}}}'.encode()))[holder]
    assert found in (None, [None], [[None]])


def test_a_container_is_treated_whole_unless_it_is_kept_by_name() -> None:
    record = {"data": {"iban": "NL1", "size": "XL"}}
    assert treated(protector(DEEP, "drop", data__iban="hash"), record) == {"data": None}
    kept = protector(DEEP, "drop", data="keep", data__iban="hash")
    assert treated(kept, record) == {"data": {"iban": hashed("NL1"), "size": "XL"}}
    assert treated(protector(DEEP, owner="drop"), {"owner": {"name": "x"}}) == {"owner": None}


def test_keeping_a_container_keeps_nothing_of_its_personal_fields() -> None:
    assert treated(protector(DEEP, "mask", owner="keep"), {"owner": {"name": "x"}}) == {"owner": {"name": "***"}}


@pytest.mark.parametrize(
    ("resource", "name", "hint"),
    [
        ("customers", "emial", "did you mean 'email'"),
        ("customers", "shoeSize", "airflow nexus describe customers"),
        ("customers", "email.domain", ""),
        ("customer_bank_accounts", "bank.nmae", "did you mean 'bank.name'"),
    ],
)
def test_a_name_that_is_no_field_is_refused(resource: str, name: str, hint: str) -> None:
    with pytest.raises(NexusConfigurationError, match=rf"{resource} have no field {name!r} to protect: .*{hint}"):
        Protector(get_resource(resource), Protection(fields={name: "drop"}))


@pytest.mark.parametrize(
    ("resource", "name", "told"),
    [
        ("customers", "first_name", "firstname"),
        ("customers", "FIRSTNAME", "firstname"),
        ("customers", "portfolio_code", "portfoliocode"),
        ("customer_bank_accounts", "bank_name", "bank.name"),
        ("customer_bank_accounts", "bank.name", "bank.name"),
        ("customers", "data.iban", "data.iban"),
    ],
)
def test_fields_go_by_the_name_of_their_column_too(resource: str, name: str, told: str) -> None:
    assert Protector(get_resource(resource), Protection(fields={name: "drop"})).treatments == {told: "drop"}


@pytest.mark.parametrize(
    ("protection", "said"),
    [
        (Protection("scramble"), "the protection personal is 'scramble': give one of keep, hash, mask, drop"),  # type: ignore[arg-type]
        (Protection(fields={"email": ""}), r"protect\['email'\] is ''"),  # type: ignore[dict-item]
        (Protection("hash"), "no secret: put hash_secret into the extra"),
        (Protection(fields={"email": "hash"}), "no secret: put hash_secret into the extra"),
        (Protection(fields={"Created": "drop"}), "customers.created is the creation stamp .* can only be kept"),
        (Protection(fields={"dateOfBirth": "mask"}), "customers.dateofbirth is of kind 'date'.*: use 'drop'"),
        (Protection(fields={"data": "hash"}, secret=SECRET), "kind 'map', and only a text can take 'hash': use 'drop'"),
        (Protection(fields={"isHighRisk": "mask"}), "kind 'flag'"),
        (Protection("mask"), "customers.customerCode tells one record from another .* 'hash' or 'keep'"),
        (Protection(fields={"customerCode": "drop"}), "can't be masked or dropped"),
        (Protection(fields={"email": "drop", "EMAIL": "keep"}), "'EMAIL' is named twice"),
        (Protection(fields={"": "drop"}), "no field '' to protect"),
        (Protection(fields={"data..x": "drop"}), "no field 'data..x' to protect"),
    ],
)
def test_protections_that_can_not_be(protection: Protection, said: str) -> None:
    with pytest.raises(NexusConfigurationError, match=said):
        Protector(get_resource("customers"), protection)


def test_a_dotted_key_goes_with_its_holder() -> None:
    with pytest.raises(NexusConfigurationError, match=r"trade_pairs\.exchange\.code tells one"):
        protector("trade_pairs", exchange="drop")


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(Protection(secret=SECRET))


def test_a_row_gets_the_key_of_its_new_text_and_keeps_its_stamp() -> None:
    resource = get_resource("customers")
    row = RowReader(resource).read(b'{"customerCode":"C1","created":"2024-01-02T03:04:05Z","email":"x"}')
    what = protector(resource, "hash")
    found = what.row(row)
    assert what.changes_key
    assert (found.key, found.stamp) == (hashed("C1"), row.stamp)
    assert found.raw == what.raw(row.raw)


def test_a_row_keeps_its_key_when_no_part_of_that_is_treated() -> None:
    resource = get_resource("transactions")
    row = RowReader(resource).read(b'{"transactionCode":"T1","created":"2024-01-02T03:04:05Z","customerCode":"C1"}')
    what = protector(resource, "hash")
    assert not what.changes_key
    assert what.row(row)[:2] == row[:2]
    assert json.loads(what.row(row).raw)["customerCode"] == hashed("C1")


def test_a_key_of_many_parts() -> None:
    resource = get_resource("customer_traces")
    record = {"customerCode": "C1", "created": "2024-01-02T03:04:05", "ip": "1.2.3.4", "action": "A", "entityType": "E"}
    row = protector(resource, "hash").row(RowReader(resource).read(json.dumps(record).encode()))
    assert row.key == f"{hashed('C1')}|2024-01-02T03:04:05|{hashed('1.2.3.4')}|A|E"


@pytest.mark.parametrize("raw", [f'["{CANARY}"]', f'"{CANARY}"', f'{{"email":"{CANARY}"', f'{{"{CANARY}":nul}}', ""])
def test_what_is_no_object_is_refused_without_its_text(raw: str) -> None:
    with pytest.raises(NexusDataError, match=r"customers record .* a JSON object") as caught:
        protector("customers", email="mask").raw(raw.encode())
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


def test_many_new_names_do_not_make_it_forget() -> None:
    what = protector("customers", email="mask")
    for each in range(3000):
        assert treated(what, {f"name{each}": each, "Email": "x"}) == {f"name{each}": each, "Email": "***"}


@pytest.mark.parametrize("treatment", ["hash", "mask", "drop"])
def test_a_field_that_comes_by_the_name_of_its_column_is_treated_too(treatment: Treatment) -> None:
    protection = Protection(personal=treatment, fields={"customerCode": "keep"}, secret="a secret of the tests")
    protector = Protector(get_resource("customers"), protection)
    treated = protector.raw(b'{"customerCode":"C1","first_name":"Jan","LAST_NAME":"Smit","external_customer_code":"X9"}')
    assert not [name for name in (b"Jan", b"Smit", b"X9") if name in treated]


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_no_personal_value_of_any_resource_is_left(name: str) -> None:
    resource = get_resource(name)
    record: dict[str, Any] = {}
    for path, field in resource.schema.walk():
        if field.personal:
            holder = record
            for part in path[:-1]:
                holder = holder.setdefault(part, {})
            holder[path[-1]] = {"x": [CANARY]} if field.kind == "map" else CANARY
    for treatment in TREATMENTS:
        keys: dict[str, Treatment] = {part: "hash" for part in resource.key if part in ("customerCode", "ip")}
        raw = Protector(resource, Protection(treatment, keys, SECRET)).raw(json.dumps(record).encode())
        assert CANARY not in raw.decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=6,
)
HIDDEN = ("email", "Name", "dateOfBirth", "data", "phone")
SECRETS = st.text(st.characters(min_codepoint=65, max_codepoint=0x2FFFF, exclude_categories=["Cs"]), min_size=8)


@st.composite
def spelt(draw: st.DrawFn, value: Any) -> str:
    """A value as JSON in one of the ways that it can be written."""
    spaces = draw(st.sampled_from([None, (" , ", " : "), (",", ":")]))
    return json.dumps(value, ensure_ascii=draw(st.booleans()), separators=spaces)


@given(data=st.data(), treatment=st.sampled_from(TREATMENTS))
def test_untreated_members_keep_their_bytes_and_treated_ones_lose_their_text(data: st.DataObject, treatment: Treatment) -> None:
    customers = get_resource("customers")
    names = st.text(max_size=6).filter(lambda name: name.lower() not in customers.schema.by_folded_name)
    open_members = data.draw(st.dictionaries(names, JSON, max_size=6))
    what = protector(customers, treatment, customerCode="hash")
    hidden = {name: data.draw(SECRETS) for name in data.draw(st.sets(st.sampled_from(HIDDEN)))}
    order = data.draw(st.permutations([*open_members, *hidden]))
    pieces = [f"{json.dumps(name)}: {data.draw(spelt((open_members | hidden)[name]))} " for name in order]
    raw = ("{" + ",".join(pieces) + "}").encode()
    before, after = members(raw), members(what.raw(raw))
    assert list(after) == list(before)
    assert {name: after[name] for name in open_members} == {name: before[name] for name in open_members}
    for name, value in hidden.items():
        assert value not in str(json.loads(after[name]))
        assert before[name].strip(b'"') not in after[name]
