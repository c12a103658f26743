"""Operators that create and change customers. See docs/api_facts.rst, Customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.codes import texts_of
from airflow_provider_nexus.client.values import in_body
from airflow_provider_nexus.operators._action import NexusAction
from airflow_provider_nexus.operators._arguments import known_part
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.writes.amounts import refuse_none
from airflow_provider_nexus.writes.customers import create_write, refuse_unknown, update_write
from airflow_provider_nexus.writes.once import Write

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class NexusCustomerAction(NexusAction):
    """Base of the operators that bring a customer into a wanted state; one that is in it already is not sent.

    A try compares the customer with what is wanted, so it needs no memory of the tries before. With ``wait_for_completion``
    the task ends when the customer is active.

    :param customer_code: code of the customer (templated)
    :param values: fields as Nexus names them (templated)
    """

    resource = "customers"
    template_fields: Sequence[str] = ("customer_code", "values", "nexus_conn_id")
    text_fields = template_fields
    template_fields_renderers = {"values": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(self, *, customer_code: str | XComArg, values: Mapping[str, Any] | XComArg | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("durable", False)
        super().__init__(**kwargs)
        self.customer_code = rendered(customer_code)
        self.values = rendered(values)
        self.check(NexusCustomerAction)
        if isinstance(known := known_part(values), Mapping):
            refuse_unknown(known)
            refuse_none(known)
            in_body(known, "values")

    def write(self) -> Write:
        """The call, and how its effect is looked up."""
        raise NotImplementedError

    def act(self, context: Context) -> dict[str, Any]:
        """Bring the customer into the wanted state. ``NexusConflictError`` when one to create exists with other values."""
        refuse_none(self.values or {})
        return self.carry_out(self.write(), context)


class NexusCreateCustomerOperator(NexusCustomerAction):
    """Creates a customer and returns it. One that exists with the same values is returned as it is.

    .. seealso:: :doc:`acting`

    :param customer_code: code of the customer, letters, digits, ``_`` and ``-`` (templated)
    :param trust_level: name of the trust level (templated)
    :param values: further fields as Nexus names them (templated)
    """

    template_fields: Sequence[str] = ("customer_code", "trust_level", "values", "nexus_conn_id")
    text_fields = template_fields

    def __init__(self, *, trust_level: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trust_level = rendered(trust_level)
        self.check(NexusCreateCustomerOperator)

    def write(self) -> Write:
        """The call."""
        return create_write(self.hook.client, self.customer_code, {**(self.values or {}), "trustLevel": self.trust_level})


class NexusUpdateCustomerOperator(NexusCustomerAction):
    """Changes a customer and returns it. One that is as wanted already is returned without a call.

    .. seealso:: :doc:`acting`

    :param customer_code: code of the customer (templated)
    :param values: fields to change, as Nexus names them; a null leaves a field alone (templated)
    :param fields_to_clear: names of fields to blank (templated)
    """

    template_fields: Sequence[str] = ("customer_code", "values", "fields_to_clear", "nexus_conn_id")

    def __init__(self, *, fields_to_clear: str | Sequence[str] | XComArg = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields_to_clear = rendered(fields_to_clear)
        self.check(NexusUpdateCustomerOperator)
        values, names = known_part(self.values or {}), known_part(fields_to_clear)
        if isinstance(values, Mapping) and isinstance(names, str | list):
            refuse_unknown([*values, *texts_of(names, "field to clear")])

    def write(self) -> Write:
        """The call."""
        return update_write(
            self.hook.client, self.customer_code, self.values or {}, texts_of(self.fields_to_clear, "field to clear")
        )
