"""The two ends of a relationship, as a task names them; what is missing is said before anything is asked for.

======================  ==========================================================  ================================
``kind``                names it by                                                 where the keys come from
======================  ==========================================================  ================================
nfs, anf, cvs, cvo,     ``host`` and ``export`` (NFS); all but nfs and efs also      SMB: ``login_conn_id`` with user,
onprem, fsx, efs, smb   ``host`` and ``share`` (SMB)                                 password, extra ``domain``
s3                      ``bucket``, ``region``                                      the data broker's own role
storagegrid, ontap_s3,  ``host``, ``port``, ``bucket``                              ``login_conn_id`` with both keys
ibm_cos                                                                             as login and password
azure_blob, data_lake   ``storage_account``, ``container``                          ``login_conn_id`` with the
                                                                                    connection string as password
gcs                     ``bucket``                                                  the data broker's own account
======================  ==========================================================  ================================

Box, Google Drive and SFTP are made in NetApp's console; a relationship with them is run by its id all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ontap_mlops.clouds.errors import InvalidRequest


class _Endpoint(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    login_conn_id: str = ""

    @property
    def protocol(self) -> str:
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        """What the service calls it, without keys."""
        raise NotImplementedError

    @property
    def needs_login(self) -> bool:
        return False

    def credentials(self, login: Login) -> dict[str, str]:
        return {}


class Login(BaseModel):
    """User and password of an end, or its two keys, or a connection string as the password."""

    user: str = ""
    password: str = Field(default="", repr=False)
    domain: str = ""


class FileShare(_Endpoint):
    """Files over NFS (``export``) or SMB (``share``)."""

    kind: Literal["nfs", "smb", "anf", "cvs", "cvo", "onprem", "fsx", "efs"]
    host: str = Field(min_length=1)
    export: str = ""
    share: str = ""
    path: str = ""
    version: str = ""
    access_point: str = ""
    working_environment_id: str = ""

    @model_validator(mode="after")
    def _one_protocol(self) -> FileShare:
        nfs_only, smb_only = self.kind in ("nfs", "efs"), self.kind == "smb"
        if nfs_only and not self.export:
            raise ValueError("export is missing")
        if smb_only and not self.share:
            raise ValueError("share is missing")
        if bool(self.export) == bool(self.share):
            raise ValueError("give either export (NFS) or share (SMB)")
        if (nfs_only and self.share) or (smb_only and self.export):
            raise ValueError(f"{self.kind} has no {'share' if nfs_only else 'export'}")
        if self.share and not self.login_conn_id:
            raise ValueError("login_conn_id is missing: SMB needs a user and password")
        if self.access_point and self.kind != "efs":
            raise ValueError("access_point is for efs only")
        return self

    @property
    def protocol(self) -> str:
        return "nfs" if self.export else "cifs"

    @property
    def needs_login(self) -> bool:
        return bool(self.share)

    def details(self) -> dict[str, Any]:
        provider = {"smb": "cifs"}.get(self.kind, self.kind)
        named = {"export": self.export} if self.export else {"share": self.share}
        version = self.version or ("4.1" if self.kind == "efs" else "3" if self.export else "3.0")
        return _given(
            host=self.host,
            **named,
            provider=provider,
            path=self.path,
            version=version,
            accessPoint=self.access_point,
            workingEnvironmentId=self.working_environment_id,
        )

    def credentials(self, login: Login) -> dict[str, str]:
        return _given(username=login.user, password=login.password, domain=login.domain) if self.share else {}


class S3Bucket(_Endpoint):
    """A bucket of Amazon S3, StorageGRID, ONTAP S3 or IBM Cloud Object Storage."""

    kind: Literal["s3", "storagegrid", "ontap_s3", "ibm_cos"]
    bucket: str = Field(min_length=1)
    prefix: str = ""
    region: str = ""
    host: str = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    storage_class: str = ""

    @model_validator(mode="after")
    def _reachable(self) -> S3Bucket:
        if self.kind == "s3":
            if not self.region:
                raise ValueError("region is missing")
            if self.host:
                raise ValueError("host is for storagegrid, ontap_s3 and ibm_cos only")
        elif not self.host:
            raise ValueError("host is missing")
        elif not self.login_conn_id:
            raise ValueError("login_conn_id is missing: its login and password are access key and secret key")
        if self.storage_class and self.kind != "s3":
            raise ValueError("storage_class is for s3 only")
        return self

    @property
    def protocol(self) -> str:
        return "s3"

    @property
    def needs_login(self) -> bool:
        return self.kind != "s3"

    def details(self) -> dict[str, Any]:
        provider = {"storagegrid": "sgws", "ontap_s3": "ontap", "ibm_cos": "ibm"}.get(self.kind, "s3")
        port = self.port or (None if self.kind == "s3" else 443)
        place = {"host": self.host, "port": port, "region": self.region, "prefix": self.prefix}
        return _given(bucket=self.bucket, provider=provider, storageClass=self.storage_class, **place)

    def credentials(self, login: Login) -> dict[str, str]:
        return {"accessKey": login.user, "secretKey": login.password} if self.needs_login else {}


class AzureContainer(_Endpoint):
    """A container of Azure Blob Storage or of Data Lake Storage Gen2."""

    kind: Literal["azure_blob", "data_lake"]
    storage_account: str = Field(min_length=1)
    container: str = Field(min_length=1)
    prefix: str = ""
    tier: Literal["", "HOT", "COOL", "ARCHIVE"] = ""
    login_conn_id: str = Field(min_length=1)

    @property
    def protocol(self) -> str:
        return "azure"

    @property
    def needs_login(self) -> bool:
        return True

    def details(self) -> dict[str, Any]:
        lake = self.kind == "data_lake"
        where = {"path": self.prefix} if lake else {"prefix": self.prefix, "blobTier": self.tier}
        names = {"container": self.container, "storageAccountName": self.storage_account}
        return _given(**names, **where, provider="azure_data_lake" if lake else "azure")

    def credentials(self, login: Login) -> dict[str, str]:
        return {"storageAccountConnectionString": login.password}


class GcsBucket(_Endpoint):
    kind: Literal["gcs"]
    bucket: str = Field(min_length=1)
    prefix: str = ""
    storage_class: Literal["", "STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"] = ""

    @property
    def protocol(self) -> str:
        return "gcp"

    def details(self) -> dict[str, Any]:
        return _given(bucket=self.bucket, prefix=self.prefix, storageClass=self.storage_class, provider="gcp")


Endpoint = FileShare | S3Bucket | AzureContainer | GcsBucket
_ANY: TypeAdapter[Endpoint] = TypeAdapter(Annotated[Endpoint, Field(discriminator="kind")])

_FILES = frozenset({"nfs", "smb", "anf", "cvs", "cvo", "onprem", "fsx", "efs"})
_COMMON = _FILES | {"s3", "azure_blob", "gcs", "ibm_cos", "storagegrid"}
PAIRS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("efs", "fsx", "azure_blob", "anf", "cvo", "cvs", "onprem"), _COMMON),
    **dict.fromkeys(("s3", "ibm_cos", "nfs"), _COMMON | {"data_lake"}),
    "gcs": _COMMON | {"ontap_s3"},
    **dict.fromkeys(("smb", "storagegrid"), _COMMON | {"data_lake", "ontap_s3"}),
    "ontap_s3": frozenset({"gcs", "smb", "storagegrid", "ontap_s3"}),
    "data_lake": frozenset(),
}
"""Kind of source -> kinds of target that NetApp supports with it."""


def endpoint(value: Mapping[str, Any], which: str) -> Endpoint:
    """The end that a mapping describes. Raises InvalidRequest with every mistake; ``which`` is "source" or "target"."""
    try:
        return _ANY.validate_python({k: v for k, v in value.items() if v not in (None, "")})
    except ValidationError as error:
        kind = value.get("kind") or "of no kind"
        said = "; ".join(_mistake(each, list(PAIRS)) for each in error.errors())
        raise InvalidRequest(f"The {which} ({kind}) is not complete: {said}.") from None


def require_pair(source: Endpoint, target: Endpoint) -> None:
    """Raises InvalidRequest for two ends between which the service does not copy."""
    if target.kind not in PAIRS[source.kind]:
        to = ", ".join(sorted(PAIRS[source.kind])) or "nothing"
        raise InvalidRequest(
            f"Copy and Sync does not copy from {source.kind} to {target.kind}; from {source.kind} it copies to {to}."
        )


def _mistake(error: Mapping[str, Any], kinds: list[str]) -> str:
    if error["type"].startswith("union_tag"):
        return f"kind has to be one of {', '.join(kinds)}"
    name = str(error["loc"][-1]) if len(error["loc"]) > 1 else ""
    said = {"missing": "is missing", "extra_forbidden": "is not known"}.get(error["type"])
    if said:
        return f"{name} {said}"
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {words}" if name else words


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}
