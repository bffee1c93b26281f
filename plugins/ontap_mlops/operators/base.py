"""What every operator shares: which failures are retried and how soon, and templated connections."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops.operators import telling
from ontap_mlops.operators.retry import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy

    from ontap_mlops.hooks.ontap import OntapHook


# Half a minute, one, two and four: long enough for a lake, a server or a controller to be started again.
RETRIES = 4
RETRY_DELAY = timedelta(seconds=30)


class MlopsOperator(BaseOperator):
    """Retries, over seven minutes, after an error that may pass by itself; fails at once after one that will not.

    A subclass does work that finds its own earlier, half-finished try again: names come from its arguments, and our
    mark in the object's comment tells it from somebody else's. The DAG's ``default_args`` and the task's own
    ``retries``, ``retry_delay`` and ``retry_policy`` take precedence over the defaults here.

    Every ``..._conn_id`` that a subclass takes is a template field, without being listed. A failure's text is logged on
    lines of its own, above the stack.
    """

    ui_color = "#e6f0fb"
    _conn_ids: ClassVar[Sequence[str]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        connections = [name for name in inspect.signature(cls.__init__).parameters if name.endswith("_conn_id")]
        inherited = [name for base in cls.__mro__[1:] for name in getattr(base, "_conn_ids", ())]
        cls._conn_ids = tuple(dict.fromkeys([*inherited, *connections]))
        cls.template_fields = tuple(dict.fromkeys([*cls.template_fields, *cls._conn_ids]))
        for name in ("execute", "execute_complete"):
            if name in cls.__dict__:
                setattr(cls, name, telling.told(cls.__dict__[name]))

    def __init__(
        self,
        *,
        retries: int | None = RETRIES,
        retry_delay: timedelta | float = RETRY_DELAY,
        retry_exponential_backoff: float = 2.0,
        max_retry_delay: timedelta | float | None = timedelta(minutes=5),
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        doc_md: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Airflow takes the defaults of this signature for mapped tasks too.
        super().__init__(
            retries=retries,
            retry_delay=retry_delay,
            retry_exponential_backoff=retry_exponential_backoff,
            max_retry_delay=max_retry_delay,
            retry_policy=retry_policy or RETRY_POLICY,
            doc_md=doc_md or telling.page_of(type(self)),
            **kwargs,
        )

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Mapped tasks have a page too."""
        return super().partial(**{"doc_md": telling.page_of(cls), **kwargs})

    def skip_because(self, context: Context, sentence: str, *, note: bool = True) -> NoReturn:
        """Skip the task, and say why: in its log and, where it means the run as a whole, as the note of the run."""
        for line in telling.lines(sentence):
            self.log.info("%s", line)
        if note:
            telling.add_note(context, sentence)
        raise AirflowSkipException(sentence)


class OntapOperator(MlopsOperator):
    """An operator that speaks to ONTAP through ``hook``.

    :param ontap_conn_id: connection of type ``ontap``.
    """

    def __init__(self, *, ontap_conn_id: str = "ontap_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ontap_conn_id = ontap_conn_id

    @cached_property
    def hook(self) -> OntapHook:
        from ontap_mlops.hooks.ontap import OntapHook

        hook = OntapHook(self.ontap_conn_id)
        self.log.info(hook.where())
        return hook


class OntapPairOperator(OntapOperator):
    """An operator on two clusters: ``ontap_conn_id`` is where the object lives, ``source_conn_id`` leads to the other.

    :param source_conn_id: connection of type ``ontap``.
    """

    def __init__(self, *, source_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id

    @cached_property
    def source_hook(self) -> OntapHook:
        from ontap_mlops.hooks.ontap import OntapHook

        hook = OntapHook(self.source_conn_id)
        self.log.info("The other: %s", hook.where())
        return hook


def bytes_of(value: int | str) -> int:
    """Return a size in bytes from an argument that a template may have turned into text."""
    try:
        return int(float(value))
    except ValueError:
        raise ValueError(f"size_bytes is {value!r}; give a whole number of bytes") from None
