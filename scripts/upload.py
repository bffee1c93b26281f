"""Put the files of a folder into the data lake, from where an ingest takes them; nothing there is removed.

python -m scripts.upload photos bottle_images            to the source of this dataset of config/datasets.yaml
python -m scripts.upload photos s3://lake/bottles/       or to a bucket and prefix of the lake
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from ontap_mlops import registry
from ontap_mlops.config_file import ConfigError
from scripts import lake
from scripts.services import Stack

LAKE_CONN_ID = "aws_default"  # the connection to the lake of these services


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder whose files and folders are sent as they are")
    parser.add_argument("to", help="name of a dataset, or s3://lake/prefix/")
    parser.add_argument("--local", help="folder of the set of services (default: .local)")
    options = parser.parse_args(arguments)
    try:
        url = address(options.to)
        if not options.folder:  # make without FROM; as a path it would be the present folder
            raise ValueError(f"FROM is empty: name the folder whose files are to be sent to {url}.")
        sent = upload(Stack(options.local), Path(options.folder), url)
    except (ValueError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{sent['copied']} files sent to {url}, {sent['unchanged']} were there already.")
    return 0


def address(to: str) -> str:
    """Return where in the lake the files go. Raises ValueError with a sentence when that is not in the lake."""
    if to.startswith("s3://"):
        url, whose = to, ""
    else:
        known = registry.usable()
        if to not in known:
            registry.datasets()  # the entry meant may be one with a mistake, which is then told
            close = difflib.get_close_matches(to, known, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise ValueError(
                f"TO={to} is neither a dataset of datasets.yaml ({', '.join(known) or 'which has none'}) "
                f"nor an address such as s3://{lake.BUCKET}/{to}/.{meant}"
            )
        url, whose = known[to].source, f"Dataset {to} comes from "
        if known[to].source_conn_id != LAKE_CONN_ID:
            raise ValueError(
                f"{whose}{url} by connection {known[to].source_conn_id}, which is not the lake of these services: "
                "put the files there with that server's own tools, such as `aws s3 sync`."
            )
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if bucket != lake.BUCKET or not prefix.strip("/"):
        raise ValueError(
            f"{whose or 'TO='}{url}: the lake of these services has the bucket {lake.BUCKET}, and each dataset a "
            f"prefix of its own in it. Give s3://{lake.BUCKET}/PREFIX/."
        )
    return url.rstrip("/") + "/"


def upload(stack: Stack, folder: Path, url: str) -> dict[str, int]:
    """Send what differs; a second call sends nothing. Raises ValueError when there is nothing to send."""
    if not folder.is_dir():
        raise ValueError(f"FROM={folder} is no folder: give the folder whose files are to be sent.")
    if not stack.processes_left():
        raise ValueError("The lake is not running: `make up` starts it.")
    lake.bucket(stack)
    # Keys are letters as they are: the last slash of the folder is not one of them.
    return lake.run_program(stack, "tasks.data.sync", f"--source={folder.resolve()}", f"--destination={url}")


if __name__ == "__main__":
    sys.exit(main())
