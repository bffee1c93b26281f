"""The embedded services and the programs each is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.embedded import environment, people, secrets
from scripts.embedded.environment import HOST
from scripts.embedded.layout import ROOT, Layout, sqlite_url

Ports = dict[str, int]


@dataclass(frozen=True)
class Program:
    """One supervised process.

    ``settled_s``: one that ends sooner has not started, and is tried once more only.
    ``stop_s``: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: Callable[[Layout, Ports], list[str]]
    variables: Callable[[Layout, Ports], dict[str, str]]
    settled_s: int = 5
    stop_s: int = 10


@dataclass(frozen=True)
class Service:
    """What a user sees as one thing with one address. ``ports`` are its names in ports.json.

    ``optional``: started only where somebody, or the demo of a system, names it.
    """

    name: str
    what: str
    url: Callable[[Ports], str]
    ports: tuple[str, ...]
    programs: tuple[Program, ...] = field(default=())
    optional: bool = False


def _ontap(layout: Layout, ports: Ports) -> list[str]:
    options = ["--root", str(layout.ontap), "--port", str(ports["ontap"]), "--s3-port", str(ports["ontap_s3"])]
    return [sys.executable, "-m", "emulator", *options]


def _emulator(layout: Layout, password: str) -> dict[str, str]:
    own = {"ONTAP_EMULATOR_PASSWORD": secrets.get(layout, password)}
    return environment.clean() | own | {environment.LOG_FORMAT: environment.log_format(layout)}


def _ontap_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    return _emulator(layout, secrets.ONTAP_ADMIN)


def _ontap_remote(layout: Layout, ports: Ports) -> list[str]:
    listen = ["--port", str(ports["ontap_remote"]), "--s3-port", str(ports["ontap_remote_s3"])]
    named = ["--svm", environment.REMOTE_SVM, "--cluster", environment.REMOTE_CLUSTER]
    return [sys.executable, "-m", "emulator", "--root", str(layout.ontap_remote), *listen, *named]


def _ontap_remote_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    return _emulator(layout, secrets.ONTAP_REMOTE_ADMIN)


def _lake(layout: Layout, ports: Ports) -> list[str]:
    options = ["--host", HOST, "--port", str(ports["lake"]), "--region", environment.REGION]
    return [sys.executable, "-m", "nanio", "serve", "--data-dir", str(layout.lake), "--no-access-log", *options]


def _lake_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    return environment.clean() | {
        "NANIO_ACCESS_KEY": secrets.get(layout, secrets.LAKE_ACCESS_KEY),
        "NANIO_SECRET_KEY": secrets.get(layout, secrets.LAKE_SECRET_KEY),
    }


def _mlflow(layout: Layout, ports: Ports) -> list[str]:
    return [
        *(environment.plain_python(), "-m", "mlflow", "server", "--workers", "1"),
        *("--host", HOST, "--port", str(ports["mlflow"])),
        *("--backend-store-uri", sqlite_url(layout.mlflow / "mlflow.db")),
        *("--artifacts-destination", (layout.mlflow / "artifacts").as_uri()),
    ]


def _mlflow_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    # Background jobs are for evaluating language models; they would cost one more process.
    return environment.clean() | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _triton(layout: Layout, ports: Ports) -> list[str]:
    listen = [f"--{kind}-port={ports[f'triton_{kind}']}" for kind in ("http", "grpc", "metrics")]
    folders = [f"--venv={ROOT / '.venv-triton'}", f"--repository={layout.model_repository}"]
    # Not in /tmp, which a machine may clear while the server runs.
    folders.append(f"--backends-dir={layout.triton / 'backends'}")
    return [sys.executable, str(ROOT / "docker" / "triton" / "serve.py"), *folders, *listen]


def _triton_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    return environment.clean() | {"TRITON_CONTROL_TOKEN": secrets.get(layout, secrets.TRITON_CONTROL)}


def _dialog(layout: Layout, ports: Ports) -> list[str]:
    return [
        *(sys.executable, "-m", "services.dialog.serve", "--port", str(ports["dialog"])),
        *("--database", sqlite_url(layout.dialog / "dialog.db")),
        *("--endpoint", SERVICES["triton"].url(ports), "--models", str(_volume(layout, "retail_assistant_models"))),
    ]


def _dialog_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    """The stubs answer wishes, unless .env has the address and the key of a real service."""
    settings, stubs = layout.settings(), f"http://{HOST}:{ports['dialog_stubs']}"
    own = {"DIALOG_EXPORT_TOKEN": secrets.get(layout, secrets.DIALOG_EXPORT)}
    for name, path in (("WEATHER", "weatherstack"), ("PLACES", "yelp"), ("PRICES", "ebay")):
        own[f"{name}_URL"] = settings.get(f"{name}_URL") or f"{stubs}/{path}"
        own[f"{name}_KEY"] = settings.get(f"{name}_KEY") or "demo"
    return environment.clean() | own


def _dialog_stubs(layout: Layout, ports: Ports) -> list[str]:
    return [sys.executable, "-m", "services.dialog.stubs", "--port", str(ports["dialog_stubs"])]


def _calls(layout: Layout, ports: Ports) -> list[str]:
    serve = [sys.executable, "-m", "services.calls.serve", "--port", str(ports["calls"])]
    return [*serve, "--database", sqlite_url(layout.calls / "calls.db")]


def _calls_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    return environment.clean() | {"CALLS_TOKEN": secrets.get(layout, secrets.CALLS)}


def _documents(layout: Layout, ports: Ports) -> list[str]:
    return [
        *(sys.executable, "-m", "services.documents.serve", "--port", str(ports["documents"])),
        *(
            "--index",
            str(_volume(layout, "documents_index")),
            "--documents",
            str(_volume(layout, "documents") / "data"),
        ),
        *("--database", sqlite_url(layout.documents / "questions.db"), "--people", str(people.file(layout))),
    ]


def _documents_variables(layout: Layout, ports: Ports) -> dict[str, str]:
    """A language model answers where .env has its endpoint, else the documents' own sentences do."""
    names = ("GENERATOR_URL", "GENERATOR_MODEL", "GENERATOR_KEY")
    settings = layout.settings()
    return environment.clean() | {name: settings[name] for name in names if settings.get(name)}


def _volume(layout: Layout, name: str) -> Path:
    """Where a volume of the first SVM is mounted."""
    return layout.namespace / environment.SVM / name


def _airflow(program: str, *options: str) -> Program:
    return Program(
        name=f"airflow-{program}",
        command=lambda layout, ports: [sys.executable, "-m", "airflow", program, *options],
        variables=environment.airflow,
        settled_s=20,
        stop_s=15,
    )


SERVICES = {
    service.name: service
    for service in (
        Service(
            "ontap",
            "ONTAP emulator (REST and S3)",
            lambda p: f"https://{HOST}:{p['ontap']}",
            ("ontap", "ontap_s3"),
            (Program("ontap", _ontap, _ontap_variables),),
        ),
        Service(
            "lake",
            "data lake (S3)",
            lambda p: f"http://{HOST}:{p['lake']}",
            ("lake",),
            (Program("lake", _lake, _lake_variables),),
        ),
        Service(
            "mlflow",
            "MLflow",
            lambda p: f"http://{HOST}:{p['mlflow']}",
            ("mlflow",),
            (Program("mlflow", _mlflow, _mlflow_variables),),
        ),
        Service(
            "triton",
            "Triton inference server",
            lambda p: f"http://{HOST}:{p['triton_http']}",
            ("triton_http", "triton_grpc", "triton_metrics"),
            (Program("triton", _triton, _triton_variables, stop_s=15),),
        ),
        Service(
            "ontap_remote",
            "ONTAP emulator of the second site",
            lambda p: f"https://{HOST}:{p['ontap_remote']}",
            ("ontap_remote", "ontap_remote_s3"),
            (Program("ontap_remote", _ontap_remote, _ontap_remote_variables),),
        ),
        Service(
            "airflow",
            "Airflow",
            lambda p: f"http://{HOST}:{p['airflow']}",
            ("airflow",),
            (
                _airflow("api-server"),
                _airflow("scheduler", "--skip-serve-logs"),
                _airflow("dag-processor"),
                _airflow("triggerer", "--skip-serve-logs"),
            ),
        ),
        Service(
            "dialog",
            "retail assistant",
            lambda p: f"http://{HOST}:{p['dialog']}",
            ("dialog", "dialog_stubs"),
            (
                Program("dialog", _dialog, _dialog_variables),
                Program("dialog-stubs", _dialog_stubs, lambda layout, ports: environment.clean()),
            ),
            optional=True,
        ),
        Service(
            "calls",
            "calls, live and past",
            lambda p: f"http://{HOST}:{p['calls']}",
            ("calls",),
            (Program("calls", _calls, _calls_variables),),
            optional=True,
        ),
        Service(
            "documents",
            "documents that answer",
            lambda p: f"http://{HOST}:{p['documents']}",
            ("documents",),
            (Program("documents", _documents, _documents_variables),),
            optional=True,
        ),
    )
}


def chosen(names: Iterable[str] | None) -> list[Service]:
    """Return the services of these names; for None all that are not optional.

    SystemExit with a sentence on an unknown name.
    """
    wanted = [name for name, service in SERVICES.items() if not service.optional] if names is None else list(names)
    unknown = [name for name in wanted if name not in SERVICES]
    if unknown:
        raise SystemExit(f"No service is called {', '.join(unknown)}; there are {', '.join(SERVICES)}.")
    return [SERVICES[name] for name in wanted]


def named(name: str) -> tuple[str, list[str]]:
    """Return the service and the programs that a user means; SystemExit names those there are."""
    for service in SERVICES.values():
        programs = [program.name for program in service.programs]
        if name == service.name:
            return service.name, programs
        if name in programs:
            return service.name, [name]
    others = [p.name for s in SERVICES.values() for p in s.programs if p.name not in SERVICES]
    asked = f"No service is called {name!r}" if name else "Say which service"
    raise SystemExit(f"{asked}; there are {', '.join(SERVICES)}, and the programs {', '.join(others)}.")


def program(name: str) -> Program:
    return next(p for service in SERVICES.values() for p in service.programs if p.name == name)
