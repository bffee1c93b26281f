"""Running a shell script where Slurm's commands are: on this host, or on another over SSH."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ontap_mlops.slurm.errors import CommandMissing, InvalidRequest, LoginRefused, Unreachable, complaint

TIMEOUT_S = 120.0
_COMMAND_MISSING, _CONF_MISSING = 127, 72
_OF_THIS_HOST = ("PATH", "HOME", "USER", "LOGNAME", "TZ", "SLURM_CONF")
_KEPT_S = 300.0  # then a connection is made anew, so that a renewed key is used and a revoked one is not


@dataclass(frozen=True)
class Answer:
    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")


class Host(Protocol):
    @property
    def name(self) -> str:
        """What messages call it."""

    def run(self, command: Sequence[str], given: bytes) -> Answer:
        """Run it with ``given`` on its standard input. Raises SlurmError where it cannot be started."""


@dataclass(frozen=True)
class ThisHost:
    @property
    def name(self) -> str:
        return socket.gethostname()

    def run(self, command: Sequence[str], given: bytes) -> Answer:
        environment = {name: os.environ[name] for name in _OF_THIS_HOST if name in os.environ}
        try:
            done = subprocess.run(command, input=given, capture_output=True, env=environment, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Unreachable(f"Slurm's commands on {self.name} did not answer within {TIMEOUT_S:g} s") from None
        return Answer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


@dataclass(frozen=True)
class SshHost:
    """``connect`` makes a connected ``paramiko.SSHClient`` of the connection ``name``."""

    name: str
    connect: Callable[[str], Any]

    def run(self, command: Sequence[str], given: bytes) -> Answer:
        """Over a connection that is kept; one that broke is made anew, once, if the command was not yet sent."""
        import paramiko

        for fresh in (False, True):
            client = self._client(fresh)
            try:
                channel = client.get_transport().open_session(timeout=30)
                break
            except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
                if fresh:
                    raise Unreachable(f"connection {self.name!r} opens no session: {error}") from None
        try:
            return _over(channel, shlex.join(command), given)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise Unreachable(
                f"connection {self.name!r} broke while Slurm was asked ({str(error) or type(error).__name__}); the "
                "next look finds what came of it"
            ) from None
        finally:
            channel.close()

    def _client(self, fresh: bool) -> Any:
        key = os.getpid(), self.name
        with _lock:
            kept = _clients.get(key)
            if kept is not None and not fresh and kept[0] > time.monotonic():
                return kept[1]
        client = self._connected()
        with _lock:
            _clients[key] = time.monotonic() + _KEPT_S, client
        return client

    def _connected(self) -> Any:
        import paramiko

        asked = f"connection {self.name!r}"
        try:
            return self.connect(self.name)
        except paramiko.BadHostKeyException as error:
            raise LoginRefused(
                f"{asked}: the host shows another key than the one known for it ({error}); check that it is the right "
                "host, then correct host_key of the connection"
            ) from None
        except paramiko.AuthenticationException as error:
            raise LoginRefused(
                f"{asked}: the host does not accept its key or password ({error}); it may have expired or been "
                "withdrawn: renew it in the connection"
            ) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            if "not found in known_hosts" in str(error):
                raise LoginRefused(f"{asked}: {error}; put the host's public key into host_key of it") from None
            raise Unreachable(f"{asked}: the host does not answer ({error})") from None


_clients: dict[tuple[int, str], tuple[float, Any]] = {}
_lock = threading.Lock()


def forget(name: str) -> None:
    """Connect anew at the next call."""
    with _lock:
        kept = _clients.pop((os.getpid(), name), None)
    if kept is not None:
        kept[1].close()


def _over(channel: Any, command: str, given: bytes) -> Answer:
    channel.settimeout(TIMEOUT_S)
    channel.exec_command(command)
    errors: list[bytes] = []
    complaints = threading.Thread(target=_drain, args=(channel.recv_stderr, errors), daemon=True)
    complaints.start()
    sending = threading.Thread(target=_send, args=(channel, given), daemon=True)
    sending.start()
    output: list[bytes] = []
    _drain(channel.recv, output)
    complaints.join(TIMEOUT_S)
    code = channel.recv_exit_status()
    if code < 0:
        raise EOFError("the other side closed it")
    return Answer(code, b"".join(output), b"".join(errors).decode(errors="replace"))


def _send(channel: Any, given: bytes) -> None:
    try:
        channel.sendall(given)
        channel.shutdown_write()
    except OSError:  # the command ended without reading it: its answer says why
        return


def _drain(receive: Callable[[int], bytes], into: list[bytes]) -> None:
    while part := receive(1 << 16):
        into.append(part)


@dataclass(frozen=True)
class Slurm:
    """One cluster, spoken to from ``host``. ``conf``: its slurm.conf; ``commands``: the folder of its commands.

    Both are where the host's own environment says unless given.
    """

    host: Host = field(default_factory=ThisHost)
    conf: str = ""
    commands: str = ""

    def run(self, asked: str, script: str, *arguments: str, given: bytes = b"") -> Answer:
        """Run ``script`` with ``sh``, its parameters being ``arguments``, and return the answer whatever its code is.

        ``asked`` is what messages say was wanted. Raises CommandMissing where a command is not there, InvalidRequest
        where ``conf`` is not.
        """
        command = ["sh", "-c", f"{self._beginning()}\n{script}", "slurm", *arguments]
        answer = self.host.run(command, given)
        if answer.code == _CONF_MISSING and self.conf:
            raise InvalidRequest(f"{asked}: there is no {self.conf} on {self.host.name}; correct slurm_conf")
        if answer.code == _COMMAND_MISSING:
            error = complaint(asked, answer.errors, self.host.name)
            raise error if isinstance(error, CommandMissing) else CommandMissing(str(error))
        return answer

    def say(self, asked: str, *command: str) -> str:
        """Run one command and return what it prints. Raises SlurmError with what it complains of."""
        answer = self.run(asked, '"$@"', *command)
        if answer.code:
            raise complaint(asked, answer.errors or answer.text, self.host.name)
        return answer.text

    def _beginning(self) -> str:
        """Messages in English and times in seconds since 1970, whatever the user's own shell says."""
        variables: Mapping[str, str] = {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
        if self.conf:
            variables = {**variables, "SLURM_CONF": self.conf}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        if self.commands:
            if not self.commands.startswith("/"):
                raise InvalidRequest(
                    f"commands is {self.commands!r}; give a folder's whole path, such as /opt/slurm/bin"
                )
            lines.append(f'export PATH={shlex.quote(self.commands)}:"$PATH"')
        if self.conf:  # without it Slurm's commands would look for one for a minute
            lines.append(f'[ -r "$SLURM_CONF" ] || exit {_CONF_MISSING}')
        return "; ".join(lines)
