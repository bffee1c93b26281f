"""Operators on ONTAP's S3 server: buckets over folders, and everything a client needs to use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import settings
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


class OntapS3BucketEnsureOperator(OntapOperator):
    """Ensure that an S3 bucket shows a folder of the SVM's namespace: its files as objects, without a copy.

    :param bucket: 3 to 63 of lower-case letters, digits, dots and hyphens.
    :param nas_path: path of the folder in the namespace, such as ``/tyre_images``.
    :param svm: the connection's own if not given.
    :return: ``name``, ``nas_path``, ``svm``, ``endpoint_url``.
    """

    template_fields: Sequence[str] = ("bucket", "nas_path", "svm")

    def __init__(self, *, bucket: str, nas_path: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.nas_path = nas_path
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import s3

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            s3.ensure_nas_bucket(client, svm=svm, name=self.bucket, nas_path=self.nas_path)
            endpoint = s3.endpoint_url(client, svm=svm)
        self.log.info("Bucket %s shows %s of SVM %s at %s", self.bucket, self.nas_path, svm, endpoint)
        return {"name": self.bucket, "nas_path": self.nas_path, "svm": svm, "endpoint_url": endpoint}


class OntapS3BucketDeleteOperator(OntapOperator):
    """Remove an S3 bucket that carries our mark. One that does not exist is no error; the files it shows stay.

    :param bucket: name.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("bucket", "svm")

    def __init__(self, *, bucket: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import s3

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            removed = s3.delete_bucket(client, svm=svm, name=self.bucket)
        self.log.info("Bucket %s of SVM %s %s", self.bucket, svm, "removed" if removed else "was gone already")
        return removed


class OntapS3ProvisionOperator(OntapOperator):
    """Configure an SVM to serve S3: server with HTTP, a user in a group with full access, and buckets over folders.

    Everything that is right already is left as it is. The user's keys go to ``secret_store`` and nowhere else; when
    that holds other keys than ONTAP knows, or none, new ones are made. The volumes under ``buckets`` are given UNIX
    permissions that let S3 users write, without which every PutObject is AccessDenied.

    :param user: S3 user.
    :param group: group the user is put in.
    :param policy: policy of the group, allowing everything in every bucket.
    :param buckets: bucket name to path in the SVM's namespace.
    :param secret_store: URI of the place for the keys, see ``ontap_mlops.hooks.secret_store``; that of the option
        ``[ontap_mlops] secret_store`` if not given. Do not let a form decide: whoever may trigger the DAG could then
        choose what is overwritten.
    :param secret_suffix: appended to the name in ``secret_store``, so that each of several SVMs has keys of its own.
    :param svm: the connection's own if not given.
    :param unix_permissions: of each bucket's volume; empty leaves them as they are.
    :param default_unix_user: whom S3 users act as on files when no name mapping says otherwise.
    :param https: switch HTTPS on too (the SVM needs a certificate for it).
    :return: ``svm``, ``endpoint_url``, ``user``, ``buckets``, ``ontap_version`` (None where the account may not read
        it), ``new_keys`` (whether any were made).
    """

    template_fields: Sequence[str] = (
        "user",
        "group",
        "policy",
        "buckets",
        "secret_store",
        "secret_suffix",
        "svm",
        "unix_permissions",
        "default_unix_user",
    )

    def __init__(
        self,
        *,
        user: str,
        group: str,
        policy: str,
        buckets: Mapping[str, str],
        secret_store: str | None = None,
        secret_suffix: str = "",
        svm: str | None = None,
        unix_permissions: str = "777",
        default_unix_user: str | None = None,
        https: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user = user
        self.group = group
        self.policy = policy
        self.buckets = buckets
        self.secret_store = secret_store
        self.secret_suffix = secret_suffix
        self.svm = svm
        self.unix_permissions = unix_permissions
        self.default_unix_user = default_unix_user
        self.https = https

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, s3

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            s3.ensure_service(client, svm=svm, https=self.https, default_unix_user=self.default_unix_user)
            endpoint = s3.endpoint_url(client, svm=svm)
            new_keys = self._ensure_keys(client, svm, endpoint)
            s3.ensure_policy(client, svm=svm, name=self.policy)
            s3.ensure_group(client, svm=svm, name=self.group, users=[self.user], policies=[self.policy])
            for bucket, path in self.buckets.items():
                self._let_write(client, svm, path)
                s3.ensure_nas_bucket(client, svm=svm, name=bucket, nas_path=path)
            release = cluster.release(client)
        self.log.info("SVM %s serves %s at %s to user %s", svm, ", ".join(self.buckets), endpoint, self.user)
        return {
            "svm": svm,
            "endpoint_url": endpoint,
            "user": self.user,
            "buckets": dict(self.buckets),
            "ontap_version": release,
            "new_keys": new_keys,
        }

    def _ensure_keys(self, client: Client, svm: str, endpoint: str) -> bool:
        from airflow.sdk.log import mask_secret

        from ontap_mlops.hooks.secret_store import secret_store
        from ontap_mlops.ontap import s3

        place = self.secret_store or settings.secret_store()
        store = secret_store(place, self.secret_suffix)
        known = store.read()
        keys = s3.ensure_user(client, svm=svm, name=self.user, known_access_key=known.access_key if known else None)
        if keys is not None:
            mask_secret(keys.secret_key)
            store.put(access_key=keys.access_key, secret_key=keys.secret_key, endpoint_url=endpoint)
            self.log.info("New keys of S3 user %s are in %s%s", self.user, place, self.secret_suffix)
        elif known is not None and known.endpoint_url != endpoint:
            store.set_endpoint(endpoint)
            self.log.info("%s now names the endpoint %s", place, endpoint)
        return keys is not None

    def _let_write(self, client: Client, svm: str, path: str) -> None:
        from ontap_mlops.ontap import volumes

        if not self.unix_permissions:
            return
        volume = volumes.at(client, svm=svm, path=path)
        volumes.set_unix_permissions(client, volume=volume, unix_permissions=self.unix_permissions)
