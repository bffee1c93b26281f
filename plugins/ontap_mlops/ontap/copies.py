"""A dataset's volume at a site as clients see it: a mounted folder and a bucket, whether it may be written or not."""

from __future__ import annotations

from ontap_mlops import names
from ontap_mlops.ontap import s3, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NameTaken, NotFound
from ontap_mlops.ontap.marks import is_ours, mark
from ontap_mlops.ontap.volumes import Volume


def show(client: Client, *, svm: str, volume: str, dataset: str) -> Volume:
    """Let clients use the volume, and return it: mounted where the dataset's volume is at home, with its bucket.

    One that may be written gets the comment of the dataset's volume, so that the site can become its home. Raises
    NameTaken for a volume with somebody else's comment, which is left as it is.
    """
    found = volumes.get(client, svm=svm, name=volume)
    comment = mark(f"dataset {dataset}")
    if found.comment and not is_ours(found.comment):
        raise NameTaken(
            f"Volume {volume!r} of SVM {svm!r} is not ours to show as dataset {dataset!r}: its comment is "
            f"{found.comment!r}. {NameTaken.advice}."
        )
    if not found.is_read_only:
        found = volumes.set_comment(client, volume=found, comment=comment)
    path = names.junction_path(volume)
    found = volumes.mount(client, volume=found, junction_path=path)
    s3.ensure_nas_bucket(client, svm=svm, name=names.bucket(volume), nas_path=path, comment=comment)
    return found


def hide(client: Client, *, svm: str, volume: str) -> bool:
    """Let no client reach the volume any more; False where none could. The bucket stays, and shows nothing."""
    try:
        found = volumes.get(client, svm=svm, name=volume)
    except NotFound:
        return False
    if found.junction_path is None:
        return False
    volumes.unmount(client, volume=found)
    return True
