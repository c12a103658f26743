"""Base of all operators and sensors: templates, missing values, retries, the link to the record, and the window of a run."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from datetime import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import render_template_to_string

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.moments import Moment, is_missing, moment
from airflow_provider_nexus.compat import HAS_RETRY_POLICIES, AirflowFailException, AirflowSkipException
from airflow_provider_nexus.exceptions import NexusError, NexusWindowError, fails_at_once, printable
from airflow_provider_nexus.extract.window import RequestedWindow, choose_window
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.links.nexus import PORTAL_KEY, NexusPortalLink
from airflow_provider_nexus.operators._arguments import CHECKS, check_mapping, check_text, refuse_missing_parts, refuse_wrong

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperatorLink, Context, XComArg
    from jinja2 import Environment, Template

T = TypeVar("T")
AMOUNTS = ("amount", "limit_price", "tolerance")
"""Arguments that are a number, if not a text."""
_MAP_NAME = "{{ task.map_name or '#' ~ ti.map_index }}"
_LONGEST_NAME = 200
"""Airflow stores names of up to 250 characters."""
RECORD_KEY = "nexus_record"
"""The XCom that names the record that a task dealt with."""


def rendered(argument: T | XComArg) -> T:
    """An argument as what it is once Airflow has rendered the template fields, which it has before ``execute``."""
    return cast("T", argument)


class NexusBaseOperator(BaseOperator):
    """Fails at once where another try can't help, and links to the record in the Nexus portal.

    It comes first among the bases, as in ``class MySensor(NexusBaseOperator, BaseSensorOperator)``. From
    Airflow 3.3 on it gives the task a :class:`~airflow_provider_nexus.retry_policy.NexusRetryPolicy`; below, errors that are
    permanent become ``AirflowFailException``, in ``execute`` and in the method that a deferred task resumes in. Sensors that are
    to skip instead of failing (``soft_fail``, ``never_fail``) skip.

    An operator that looks up what became of its call before it sends it again sets ``looks_up_first = True`` in its class;
    a change that may or may not have happened is then tried again like any other failure.

    :param retry_policy: the task's own policy; by default the provider's. ``ExceptionRetryPolicy(rules=[])`` has none
    :param map_index_template: what names each of the tasks that one is mapped to; by default what it is mapped over, such as the
        dates of its window. Below Airflow 3.3 there is no default
    """

    text_fields: ClassVar[Collection[str]] = ()
    """Template fields whose texts stay texts, also where the DAG renders templates as native objects, which makes numbers with
    other digits of codes and amounts. A mapping is rendered so in depth, but not one that is as a whole given as a template."""

    looks_up_first: ClassVar[bool] = False
    """Whether another try looks up what became of the call before it is sent again."""

    ui_color = "#e3f2ee"
    """What changes something in Nexus has another."""

    operator_extra_links: tuple[BaseOperatorLink, ...] = (NexusPortalLink(),)
    nexus_conn_id: str

    _logged: NexusError | None = None
    """The last error that was logged: each base that ``execute`` goes through sees it."""

    _named: frozenset[str]
    """The arguments that were named. The constructors pass on all, so that it can't be seen there which were left out."""

    def __new__(cls, *_: Any, **named: Any) -> Self:
        """Note which arguments are named."""
        made = super().__new__(cls)
        object.__setattr__(made, "_named", frozenset(named))
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if (execute := cls.__dict__.get("execute")) is None:
            return

        @functools.wraps(execute)
        def guarded(self: NexusBaseOperator, *args: Any, **named: Any) -> Any:
            with _FailingAtOnce(self):
                return execute(self, *args, **named)

        cls.execute = guarded  # type: ignore[method-assign]

    def __init__(self, *, retry_policy: Any = None, map_index_template: str | None = _MAP_NAME, **kwargs: Any) -> None:
        # Airflow takes the default from this signature, for mapped tasks. For others it would be a name where none is needed
        if map_index_template != _MAP_NAME:
            kwargs["map_index_template"] = map_index_template
        self._renders_text = False
        if not retry_policy and HAS_RETRY_POLICIES:
            from airflow_provider_nexus.retry_policy import NexusRetryPolicy

            retry_policy = NexusRetryPolicy(looks_up_first=self.looks_up_first)
        if retry_policy:
            kwargs["retry_policy"] = retry_policy
        try:
            super().__init__(**kwargs)
        except TypeError as error:
            kinds = {
                each: inspect.signature(vars(each).get("__init__", object.__init__)).parameters for each in type(self).__mro__
            }
            unknown = [name for name in kwargs if not any(name in names for names in kinds.values())]
            if not unknown:
                raise
            own = {
                name for each, names in kinds.items() if each.__module__.startswith("airflow_provider_nexus.") for name in names
            }
            hint = did_you_mean(unknown[0], sorted(own - {"self", "kwargs", "default_args"}))
            raise TypeError(f"{type(self).__name__} has no argument {unknown[0]!r}: {hint}") from error

    def check(self, kind: type[NexusBaseOperator]) -> None:
        """Refuse literals that can't be what their argument must be. What is only known in the task is checked there.

        :param kind: the class whose constructor has set its arguments
        """
        known = [each for each in inspect.signature(kind.__init__).parameters.values() if each.name in CHECKS]
        named = {each.name: getattr(self, each.name) for each in known}
        given = {each.name: named[each.name] for each in known if named[each.name] is not None or each.default is not None}
        # a mapped task is made in its run, where no policy sees that another try can't help
        with _FailingAtOnce(self, by_policy=False) if self._BaseOperator__from_mapped else nullcontext():  # type: ignore[attr-defined]
            refuse_wrong(given, self.template_fields)

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, jinja_env: Environment, seen_oids: set[int]
    ) -> None:
        for name in template_fields:
            is_whole = isinstance(getattr(parent, name, None), str) and name in self.template_fields_renderers
            self._renders_text = parent is self and name in self.text_fields and not is_whole
            environment = self.dag.get_template_env(force_sandboxed=True) if self._renders_text and self._dag else jinja_env
            super()._do_render_template_fields(parent, (name,), context, environment, seen_oids)
        self._renders_text = False

    def _render(self, template: Template, context: Context, dag: DAG | None = None) -> Any:
        if self._renders_text:
            return render_template_to_string(template, context)
        return super()._render(template, context, dag)

    def is_given(self, name: str) -> bool:
        """Whether an argument was given as something, be it a template of nothing.

        A null that was written out counts as left out. One that the task is mapped over does not, as that is what another task
        makes of a missing value.
        """
        return self._BaseOperator__init_kwargs.get(name) is not None or self._is_mapped_over(name)  # type: ignore[attr-defined]

    @property
    def map_name(self) -> str:
        """What names one of the tasks that a task is mapped to: the texts, numbers and moments that it is mapped over."""
        values = {name: getattr(self, name) for name in self.template_fields if self._is_mapped_over(name)}
        window = " to ".join(_short(values.pop(name)) for name in ("window_start", "window_end") if values.get(name))
        parts = [str(value) for value in values.values() if isinstance(value, str | int | Decimal)]
        name = ", ".join(filter(None, [*parts, window]))[:_LONGEST_NAME]
        try:
            ast.literal_eval(name)
        except (ValueError, SyntaxError):
            return name
        return f"of {name}"  # DAGs that render templates as native objects would make a number of it, which Airflow can't store

    def is_mapped_to_nothing(self, name: str) -> bool:
        """Whether a null was given for an argument that the task is mapped over."""
        return self._BaseOperator__init_kwargs.get(name) is None and self._is_mapped_over(name)  # type: ignore[attr-defined]

    def _is_mapped_over(self, name: str) -> bool:
        mapped = getattr(self._dag, "task_dict", {}).get(self.task_id)
        written_out = getattr(mapped, "partial_kwargs", {})
        return bool(self._BaseOperator__from_mapped) and name in self._named and name not in written_out  # type: ignore[attr-defined]

    def refuse_missing(self, **mappings: str) -> None:
        """Refuse what templates make of missing values, texts that have become something else, and what can't be the argument.

        :param mappings: arguments in which each name needs a value, as without it, or with the word None, the call is another,
            and how their parts are called in the error
        """
        for name in self.text_fields:
            value = getattr(self, name)
            if not self.is_given(name):
                continue
            if name not in self.template_fields_renderers:
                if name not in AMOUNTS or is_missing(value):
                    check_text(name, value)
                CHECKS.get(name, check_text)(name, value)
            elif name not in mappings:
                check_mapping(name, value)
        for name, what in mappings.items():
            refuse_missing_parts(what, getattr(self, name))

    def pre_execute(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        """Take the links away in the task, which pushes each address by itself: at its end Airflow would push empty ones too."""
        self.operator_extra_links = ()

    def execute(self, context: Context) -> Any:
        """Execute the next base; permanent errors fail the task at once."""
        with _FailingAtOnce(self):
            return super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait; permanent errors fail the task at once."""
        with _FailingAtOnce(self):
            return super().resume_execution(next_method, next_kwargs, context)

    def remember(self, context: Context, resource: str, code: str) -> None:
        """Push the record that the task deals with, and its address in the portal where the connection has a ``portal_url``."""
        instance = context["ti"]
        instance.xcom_push(key=RECORD_KEY, value={"resource": resource, "code": code})
        address = NexusHook(self.nexus_conn_id).portal_link(resource, code)
        if address:
            instance.xcom_push(key=PORTAL_KEY, value=address)


def _short(given: Any) -> str:
    """A moment in UTC for people, without a time that is midnight."""
    try:
        found = moment(given, "window")
    except NexusWindowError:
        return str(given)
    return f"{found:%Y-%m-%d}" if found.time() == time() else f"{found:%Y-%m-%d %H:%M}"


def requested_window(
    context: Context, start: Moment, end: Moment, watermark: Callable[[], Moment] = lambda: None
) -> RequestedWindow:
    """The window that a run asks for: that of the arguments, else of the params, the data interval or the watermark.

    :param watermark: reads where the last sync ended; called only when that is needed
    :raises NexusWindowError: when nothing names a start
    """
    params = context.get("params") or {}
    return choose_window(
        arguments=(start, end),
        params=(params.get("window_start"), params.get("window_end")),
        interval=(context.get("data_interval_start"), context.get("data_interval_end")),
        watermark=watermark,
        form=params,
    )


class _FailingAtOnce:
    """Turn permanent errors in the block into what Airflow does not try again, where its retry policy does not see to that.

    Each error is logged as one line before Airflow logs its traceback. That of a permanent one begins here: its sentence says
    what to do, and where in the provider it was found does not help.
    """

    def __init__(self, operator: NexusBaseOperator, *, by_policy: bool = HAS_RETRY_POLICIES) -> None:
        self._operator, self._by_policy = operator, by_policy

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, NexusError):
            return
        operator = self._operator
        fails = fails_at_once(error, looks_up_first=operator.looks_up_first)
        if fails and (getattr(operator, "soft_fail", False) or getattr(operator, "never_fail", False)):
            raise AirflowSkipException(f"skipped instead of failed: {error}") from error
        if operator._logged is not error:
            operator.log.error("%s", printable(str(error)))
            operator._logged = error
        if not fails:
            return
        failure = error if self._by_policy else AirflowFailException(str(error))
        if error.is_permanent:
            raise failure.with_traceback(None) from None
        if failure is not error:
            raise failure from error
