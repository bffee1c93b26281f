"""NetApp's DataOps Toolkit, set up as its README says: a config file, a password in the keyring, a CA file."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

SESSION = Path(__file__).with_name("toolkit_session.py")
SERVICE = "netapp:dataops:ontap"
# Where there is no desktop to unlock another one.
KEYRING = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}
CLI = "netapp_dataops_cli.py"


class ToolkitError(Exception):
    """An exception of the toolkit: ``kind`` is the name of its class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Toolkit:
    """A user's home with the toolkit's settings, and a Python session in it: ``toolkit("list_volumes()")``."""

    def __init__(self, programs: Any, system: Any, user: str, s3: dict[str, str], root_volume: str) -> None:
        self.programs = programs
        self.user = user
        self._session: subprocess.Popen[str] | None = None
        config = {
            "connectionType": "ONTAP",
            "hostname": f"{system.host}:{system.port}",
            "svm": "svm1",
            "dataLif": system.host,
            "sslCertPath": str(system.ca),
            "defaultVolumeType": "flexvol",
            "defaultExportPolicy": "default",
            "defaultSnapshotPolicy": "none",
            "defaultUnixUID": "0",
            "defaultUnixGID": "0",
            "defaultUnixPermissions": "0777",
            "defaultAggregate": "aggr1",
            "s3Endpoint": system.s3_url,
            "s3AccessKeyId": s3["access_key"],
            "s3SecretAccessKey": base64.b64encode(s3["secret_key"].encode()).decode(),
            "s3VerifySSLCert": True,
            "s3CACertBundle": str(system.ca),
            "datasetManagerEnabled": True,
            "datasetManagerRootVolume": root_volume,
            "datasetManagerRootMountpoint": str(system.namespace / root_volume),
        }
        folder = programs.home / ".netapp_dataops"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        for name, value in (("username", user), ("password", system.password_of(user))):
            stored = programs.run("keyring", "set", SERVICE, name, stdin=value)
            assert stored.returncode == 0, stored.stderr

    def __call__(self, expression: str) -> Any:
        """The value of an expression of the toolkit's functions; ToolkitError with what it raised."""
        if self._session is None:
            # What it logs lies in a file: a pipe that nobody reads would stop it one day.
            with (self.programs.home / "session.log").open("w") as log:
                self._session = self.programs.start("python", SESSION, stderr=log)
        assert self._session.stdin and self._session.stdout
        self._session.stdin.write(json.dumps(expression) + "\n")
        self._session.stdin.flush()
        line = self._session.stdout.readline()
        assert line, "the session ended"
        answer = json.loads(line)
        if "error" in answer:
            raise ToolkitError(answer["error"], answer["message"])
        return answer["value"]

    def cli(self, *arguments: str) -> str:
        """What the command line says, which it does on stderr; ToolkitError when it fails."""
        done = self.programs.run(CLI, *arguments)
        if done.returncode:
            raise ToolkitError("exit", done.stdout + done.stderr)
        return done.stdout + done.stderr

    def close(self) -> None:
        if self._session:
            self._session.kill()
            self._session.communicate()
