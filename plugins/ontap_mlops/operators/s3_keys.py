"""Operators on the keys of ONTAP's S3 users: new ones before the old ones end, and the old ones gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops import settings
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.secret_store import SecretStore
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.s3.keys import Key

_NEW_KEY = "new_access_key"


class _OnKeys(OntapOperator):
    """Base of the operators on the keys of one S3 user.

    :param user: S3 user.
    :param secret_store: URI of the place that holds its keys; that of ``[ontap_mlops] secret_store`` if not given. Do
        not let a form decide: whoever may trigger the DAG could then choose what is overwritten.
    :param secret_suffix: appended to the name in ``secret_store``, where each of several SVMs has keys of its own.
    :param svm: the connection's own if not given.
    """

    template_fields: Sequence[str] = ("user", "secret_store", "secret_suffix", "svm")

    def __init__(
        self,
        *,
        user: str,
        secret_store: str | None = None,
        secret_suffix: str = "",
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user = user
        self.secret_store = secret_store
        self.secret_suffix = secret_suffix
        self.svm = svm

    @property
    def place(self) -> str:
        return self.secret_store or settings.secret_store()

    def store(self) -> SecretStore:
        from ontap_mlops.hooks.secret_store import secret_store

        return secret_store(self.place, self.secret_suffix)


class OntapS3UserKeysRotateOperator(_OnKeys):
    """Make new keys for an S3 user and store them in the same step; the old ones work on until they are retired.

    ONTAP keeps two pairs per user: the new one takes the place of the pair that is not in use, every Airflow connection
    that uses an old key gets the new one, and at last the store does. Killed between any two of these, the retry makes
    another pair and goes on; the key in the store works at every moment. No log, error or XCom has a secret.

    A release of ONTAP with one pair per user replaces it at once: rotate when nothing runs.

    :param user: S3 user, such as ``mlops``.
    :param ttl_days: days after which the new key ends by itself; empty for never.
    :param ending_within_days: rotate only when the key in use ends within so many days; empty rotates now.
    :param secret_store: URI of the place for the keys; that of ``[ontap_mlops] secret_store`` if not given.
    :param secret_suffix: appended to the name in ``secret_store``.
    :param svm: the connection's own if not given.
    :param api_conn_id: connection to Airflow's REST API for the connections that follow; empty lets none follow.
    :return: ``rotated``, ``user``, ``access_key`` in use now, ``expires_at``, ``old_access_keys`` that still work,
        ``connections`` that followed.
    """

    template_fields: Sequence[str] = (*_OnKeys.template_fields, "ttl_days", "ending_within_days")

    def __init__(
        self,
        *,
        ttl_days: int | str | None = None,
        ending_within_days: float | str | None = None,
        api_conn_id: str = "airflow_api",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ttl_days = ttl_days
        self.ending_within_days = ending_within_days
        self.api_conn_id = api_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap.s3 import keys

        svm, store = self.hook.svm(self.svm), self.store()
        known = store.read()
        in_use = known.access_key if known else None
        memory: Any = context.get("task_state_store")
        with self.hook.client() as client:
            there = keys.list_keys(client, svm=svm, user=self.user)
            followed: list[str] = []
            made_before = in_use is not None and memory is not None and memory.get(_NEW_KEY) == in_use
            rotated = made_before or self._is_due(client, there, in_use)
            if rotated and not made_before:
                followed = self._rotate(client, svm, store, there, in_use, memory)
                there = keys.list_keys(client, svm=svm, user=self.user)
        return self._told(there, rotated, followed)

    def _rotate(
        self, client: Client, svm: str, store: SecretStore, there: Sequence[Key], in_use: str | None, memory: Any
    ) -> list[str]:
        from airflow.sdk.log import mask_secret

        from ontap_mlops.ontap import s3
        from ontap_mlops.ontap.s3 import keys

        endpoint = s3.endpoint_url(client, svm=svm)
        ttl = f"P{int(float(self.ttl_days))}D" if self.ttl_days else None
        new = keys.renew(client, svm=svm, user=self.user, in_use=in_use, time_to_live=ttl)
        mask_secret(new.secret_key)
        # Those that an earlier try has given a key which nobody stored are among the followers too.
        old = {key.access_key for key in there} | ({in_use} if in_use else set())
        followed = self._follow(old, new.access_key, new.secret_key, store)
        if memory is not None:
            memory.set(_NEW_KEY, new.access_key)
        store.put(access_key=new.access_key, secret_key=new.secret_key, endpoint_url=endpoint)
        self.log.info("New keys of S3 user %s are in %s%s", self.user, self.place, self.secret_suffix)
        return followed

    def _follow(self, old: set[str], access_key: str, secret_key: str, store: SecretStore) -> list[str]:
        from airflow.sdk.exceptions import AirflowNotFoundException

        from ontap_mlops.hooks.key_followers import KeyFollowers

        if not self.api_conn_id:
            return []
        try:
            followers = KeyFollowers(self.api_conn_id)
            found = followers.of(old, but=[getattr(store, "conn_id", "")])
        except AirflowNotFoundException:
            self.log.warning(
                "There is no connection %s, so no Airflow connection that uses the old keys gets the new ones; "
                "change them by hand before the old ones are retired",
                self.api_conn_id,
            )
            return []
        for conn_id in found:
            followers.follow(conn_id, access_key=access_key, secret_key=secret_key)
        return found

    def _is_due(self, client: Client, there: Sequence[Key], in_use: str | None) -> bool:
        from ontap_mlops.ontap import cluster
        from ontap_mlops.ontap.s3 import keys

        if not self.ending_within_days or in_use not in [key.access_key for key in there]:
            return True
        limit = cluster.now(client) + timedelta(days=float(self.ending_within_days))
        ending = [key.access_key for key in keys.ending(there, before=limit)]
        if in_use not in ending:
            self.log.info("The key of S3 user %s does not end before %s; it stays", self.user, limit.isoformat())
        return in_use in ending

    def _told(self, there: Sequence[Key], rotated: bool, followed: list[str]) -> dict[str, Any]:
        known = self.store().read()
        in_use = known.access_key if known else None
        now = next((key for key in there if key.access_key == in_use), None)
        return {
            "rotated": rotated,
            "user": self.user,
            "access_key": in_use,
            "expires_at": now.expires_at if now else None,
            "old_access_keys": [key.access_key for key in there if key.access_key != in_use],
            "connections": followed,
        }


class OntapS3UserKeysRetireOperator(_OnKeys):
    """Delete the keys of an S3 user that are not in use: all but the one in the store, once everybody has that.

    :param user: S3 user.
    :param grace_hours: how long after the run began the old keys work on; waited for without a worker slot.
    :param secret_store: URI of the place that holds the key in use; ``[ontap_mlops] secret_store`` if not given.
    :param secret_suffix: appended to the name in ``secret_store``.
    :param svm: the connection's own if not given.
    :return: the access keys that are gone.
    """

    template_fields: Sequence[str] = (*_OnKeys.template_fields, "grace_hours")

    def __init__(self, *, grace_hours: float | str = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grace_hours = grace_hours

    def execute(self, context: Context) -> list[str]:
        if hours := float(self.grace_hours or 0):
            self._wait_until(context["dag_run"].run_after + timedelta(hours=hours))
        return self._retire()

    def execute_complete(self, context: Context, event: Any = None) -> list[str]:
        return self._retire()

    def _wait_until(self, moment: datetime) -> None:
        """By the run's time, so that a retry does not begin to wait anew."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        if moment > datetime.now(UTC):
            self.log.info("The old keys of S3 user %s work until %s", self.user, moment.isoformat())
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute_complete")

    def _retire(self) -> list[str]:
        from ontap_mlops.ontap.s3 import keys

        known = self.store().read()
        if known is None:
            raise ValueError(
                f"{self.place}{self.secret_suffix} holds no key of S3 user {self.user!r}, so which of its keys is in "
                "use is not known and none was deleted; rotate them first"
            )
        with self.hook.client() as client:
            gone = keys.retire(client, svm=self.hook.svm(self.svm), user=self.user, in_use=known.access_key)
        self.log.info("Keys of S3 user %s that are gone: %s", self.user, ", ".join(gone) or "none, it had no others")
        return gone


class OntapS3UserKeysCheckOperator(_OnKeys):
    """Warn of keys of an S3 user that end soon, and of a store whose key ONTAP does not know. Changes nothing.

    :param user: S3 user.
    :param warn_days: warn of keys that end within so many days.
    :param secret_store: URI of the place that holds the key in use; ``[ontap_mlops] secret_store`` if not given.
    :param secret_suffix: appended to the name in ``secret_store``.
    :param svm: the connection's own if not given.
    :return: ``ending``: access key to when it ends (ISO 8601), ``stored_key_works``.
    """

    template_fields: Sequence[str] = (*_OnKeys.template_fields, "warn_days")

    def __init__(self, *, warn_days: float | str = 14, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warn_days = warn_days

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster
        from ontap_mlops.ontap.s3 import keys

        known = self.store().read()
        with self.hook.client() as client:
            there = keys.list_keys(client, svm=self.hook.svm(self.svm), user=self.user)
            now = cluster.now(client)
        ending = keys.ending(there, before=now + timedelta(days=float(self.warn_days)))
        for key in ending:
            self.log.warning("Key %s of S3 user %s ends %s: rotate it", key.access_key, self.user, key.expires_at)
        valid = [k for k in there if not (k.expires_at and datetime.fromisoformat(k.expires_at) <= now)]
        works = known is not None and known.access_key in [key.access_key for key in valid]
        if not works:
            self.log.warning("%s%s holds no key that S3 user %s has now", self.place, self.secret_suffix, self.user)
        return {"ending": {key.access_key: key.expires_at for key in ending}, "stored_key_works": works}
