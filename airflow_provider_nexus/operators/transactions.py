"""Operators that make transactions, cancel them and pay them out. See docs/api_facts.rst, Trading calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_nexus.api.records import as_plain, at
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.operators._action import NexusAction, NexusOnceOperator
from airflow_provider_nexus.operators._arguments import check_mapping, known_part, refuse_wrong
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.operators._once import ledger_of
from airflow_provider_nexus.writes.amounts import exact
from airflow_provider_nexus.writes.once import Write
from airflow_provider_nexus.writes.trades import get_trade, trade_body
from airflow_provider_nexus.writes.transactions import cancel_write, payout_write, transaction_write

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


CustodianKind = Literal["buy", "sell", "gift", "clawback", "send_out", "send_internal", "send_to_bucket", "swap"]
Kind = CustodianKind | Literal["broker_buy", "broker_sell", "classic_buy", "classic_sell"]


class NexusCreateTransactionOperator(NexusOnceOperator):
    """Makes one transaction, once, and returns it; of a pair it returns the source.

    The reference goes into ``paymentReference`` where the call has that and ``values`` leave it free, else into
    ``data["reference"]``. The classic calls have no field for it, and a swap only the first, so one of these of unknown fate that
    is not found is never sent again: the task fails until somebody has looked.

    .. seealso:: :doc:`acting`

    :param kind: ``buy``, ``sell``, ``gift``, ``clawback``, ``send_out``, ``send_internal``, ``send_to_bucket``, ``swap``,
        ``broker_buy``, ``broker_sell``, or of the classic generation ``classic_buy`` and ``classic_sell``
    :param values: the body as Nexus names it, amounts as ``Decimal`` or text (templated)
    :param simulate: whether to ask Nexus what the call would do, without changing anything
    :raises NexusConfigurationError: for an unknown kind, one that has no simulation, or a ``reference`` for one that can't be
        found by it
    """

    template_fields: Sequence[str] = ("values", "reference", "nexus_conn_id")
    text_fields = template_fields
    template_fields_renderers = {"values": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(
        self,
        *,
        kind: Kind,
        values: Mapping[str, Any] | XComArg,
        simulate: bool = False,
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        refuse_wrong({"kind": kind, "cancel_on_kill": cancel_on_kill})
        trade = get_trade(kind, simulate=simulate)
        super().__init__(cancel_on_kill=cancel_on_kill and not trade.is_classic, **kwargs)
        if self.reference is not None and not trade.is_searchable:
            raise NexusConfigurationError(
                f"reference can't be given for a {kind!r}: it has no documented field to find it by, so a reference would not "
                "keep another run from making a second one. Leave it out: the tries of one task need none"
            )
        self.kind = kind
        self.resource = trade.resource
        self.values = rendered(values)
        self.simulate = simulate
        self.check(NexusCreateTransactionOperator)
        if (known := known_part(values)) == values:  # nothing is left to be rendered
            check_mapping("values", known)
            trade_body(trade, known)
        elif isinstance(known, Mapping):
            exact(known)

    def execute(self, context: Context) -> Any:
        """Make the transaction, or simulate it.

        :raises NexusConfigurationError: when values are missing or an amount is none; nothing was sent
        :raises NexusAmbiguousWriteError: when it is not known whether Nexus made it; another try looks again
        """
        if not self.simulate:
            return super().execute(context)
        self.refuse_missing()
        trade = get_trade(self.kind, simulate=True)
        return as_plain(self.hook.run("POST", f"{trade.path}/simulate", json=trade_body(trade, self.values)))

    def write(self, reference: str) -> Write:
        """The call. Two references are refused, as the tasks that give the one would not see those that give the other."""
        own = at(self.values, "paymentReference")
        if self.reference is not None and own not in (None, "", self.reference):
            raise NexusConfigurationError(
                f"reference is {self.reference!r} and values have another paymentReference, {own!r}: give one; nothing was sent"
            )
        return transaction_write(self.hook.client, self.kind, self.values, reference)


class NexusCancelTransactionOperator(NexusAction):
    """Cancels a transaction and returns it. One that is cancelled already is returned as it is.

    .. seealso:: :doc:`acting`

    :param transaction_code: code of the transaction (templated)
    """

    template_fields: Sequence[str] = ("transaction_code", "nexus_conn_id")
    text_fields = template_fields
    target_statuses = ("CANCELLED",)

    def __init__(self, *, transaction_code: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transaction_code = rendered(transaction_code)
        self.check(NexusCancelTransactionOperator)

    def act(self, context: Context) -> dict[str, Any]:
        """Cancel it. ``NexusConflictError`` when it is completed."""
        return self.carry_out(cancel_write(self.hook.client, self.transaction_code), context)


class NexusPayoutTransactionOperator(NexusAction):
    """Pays a sell out, or marks its payout as being confirmed, and returns the transaction.

    One that is paid out already is returned when it carries the ``payment_reference``, or when none is given and this task
    is known to have sent the payout (Airflow 3.3 and later); else it is an error, as somebody else has paid.

    .. seealso:: :doc:`acting`

    :param transaction_code: code of the transaction (templated)
    :param bank_account_id: id of the customer's bank account (templated)
    :param payment_reference: reference of the payment (templated)
    :param step: ``payout`` completes the payout, ``confirming`` marks it as being confirmed
    """

    template_fields: Sequence[str] = ("transaction_code", "bank_account_id", "payment_reference", "nexus_conn_id")
    text_fields = template_fields

    def __init__(
        self,
        *,
        transaction_code: str | XComArg,
        bank_account_id: str | XComArg | None = None,
        payment_reference: str | XComArg | None = None,
        step: Literal["confirming", "payout"] = "payout",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transaction_code = rendered(transaction_code)
        self.bank_account_id = rendered(bank_account_id)
        self.payment_reference = rendered(payment_reference)
        self.step = step
        self.check(NexusPayoutTransactionOperator)

    def act(self, context: Context) -> dict[str, Any]:
        """Pay it out. ``NexusConflictError`` when somebody else has."""
        write = payout_write(
            self.hook.client,
            ledger_of(context),
            self.transaction_code,
            self.bank_account_id,
            self.payment_reference,
            step=self.step,
        )
        return self.carry_out(write, context, ledger_of(context, self.hook.settings.environment.base_url, write.path))
