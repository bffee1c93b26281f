"""What Airflow's provider manager reads: modules, connection type with its form, links, asset URIs, options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ontap_mlops import __version__, settings

_ONTAP_CONNECTION: dict[str, Any] = {
    "connection-type": "ontap",
    "hook-class-name": "ontap_mlops.hooks.ontap.OntapHook",
    "hook-name": "NetApp ONTAP",
    "ui-field-behaviour": {
        "hidden-fields": [],
        "relabeling": {"host": "Management address", "login": "User", "schema": "Protocol"},
        "placeholders": {"host": "cluster.example.com", "port": "443", "login": "vsadmin", "schema": "https"},
    },
    "conn-fields": {
        "svm": {
            "label": "SVM",
            "description": "Storage VM to use where a task names none.",
            "schema": {"type": ["string", "null"]},
        },
        "verify": {
            "label": "Verify certificate",
            "description": "true, false, or the path of a file with the certificate authority that signed ONTAP's.",
            "schema": {"type": ["string", "null"], "default": "true"},
        },
        "job_timeout_s": {
            "label": "Job time limit (s)",
            "description": "How long a task waits for one piece of work in ONTAP before it is retried. Default 300.",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
    },
}

_COPY_SYNC_CONNECTION: dict[str, Any] = {
    "connection-type": "netapp_copy_sync",
    "hook-class-name": "ontap_mlops.hooks.copy_sync.CopySyncHook",
    "hook-name": "NetApp Copy and Sync",
    "ui-field-behaviour": {
        "hidden-fields": ["port", "schema"],
        "relabeling": {"login": "Client ID of a service account", "password": "Its secret, or a refresh token"},
        "placeholders": {"host": "https://api.cloudsync.netapp.com"},
    },
    "conn-fields": {
        "account_id": {
            "label": "Account",
            "description": "NetApp account to work in; needed where the login has several.",
            "schema": {"type": ["string", "null"]},
        },
        "token_url": {
            "label": "Token address",
            "description": "Where tokens are renewed; NetApp's own if empty.",
            "schema": {"type": ["string", "null"]},
        },
        "verify": {
            "label": "Certificate authority",
            "description": "Path of a file with the certificate authority of a proxy; the system's own if empty.",
            "schema": {"type": ["string", "null"]},
        },
    },
}

_AZURE_CONNECTION: dict[str, Any] = {
    "connection-type": "azure_netapp_files",
    "hook-class-name": "ontap_mlops.hooks.azure_netapp.AzureNetAppHook",
    "hook-name": "Azure NetApp Files",
    "ui-field-behaviour": {
        "hidden-fields": ["port", "schema"],
        "relabeling": {"login": "Client ID", "password": "Secret", "host": "Resource Manager"},
        "placeholders": {"host": "https://management.azure.com"},
    },
    "conn-fields": {
        name: {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
        for name, label, description in (
            ("tenantId", "Tenant", "Of the service principal."),
            ("subscriptionId", "Subscription", "In which to work."),
            ("resource_group", "Resource group", "In which the NetApp account is."),
            ("account", "NetApp account", "Made where there is none."),
            ("location", "Location", "Of the account, such as westeurope."),
            ("authority", "Login service", "Of another cloud than the public one."),
            ("verify", "Certificate authority", "Path of a file, for a proxy; the system's own if empty."),
        )
    },
}

_GOOGLE_CONNECTION: dict[str, Any] = {
    "connection-type": "google_netapp_volumes",
    "hook-class-name": "ontap_mlops.hooks.google_netapp.GoogleNetAppHook",
    "hook-name": "Google Cloud NetApp Volumes",
    "ui-field-behaviour": {
        "hidden-fields": ["port", "schema", "login", "password"],
        "relabeling": {"host": "Address"},
        "placeholders": {"host": "https://netapp.googleapis.com"},
    },
    "conn-fields": {
        "project": {
            "label": "Project",
            "description": "In which to work.",
            "schema": {"type": ["string", "null"]},
        },
        "location": {
            "label": "Location",
            "description": "Region such as europe-west3.",
            "schema": {"type": ["string", "null"]},
        },
        "keyfile_dict": {
            "label": "Key file (JSON)",
            "description": "Of a service account; the machine's own account if empty.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "key_path": {
            "label": "Key file (path)",
            "description": "Instead of its JSON.",
            "schema": {"type": ["string", "null"]},
        },
    },
}

EXTRA_LINKS = [
    "ontap_mlops.operators.links.MlflowRunLink",
    "ontap_mlops.operators.links.MlflowModelLink",
    "ontap_mlops.operators.links.MistakesLink",
    "ontap_mlops.operators.links.ConfusionLink",
    "ontap_mlops.operators.links.RocLink",
    "ontap_mlops.operators.links.DashboardLink",
    "ontap_mlops.operators.links.DatasetVersionLink",
]
ROOMS = {
    "operators": "Operator",
    "sensors": "Sensor",
    "hooks": "Hook",
    "triggers": "Trigger",
}  # and how the classes there end
_INTEGRATION = "NetApp ONTAP"
_CONFIG_SECTION = "Where machine-learning pipelines on ONTAP find their files, and when they warn."


def _options() -> dict[str, dict[str, Any]]:
    """The configuration section in the words of Airflow's own ``config.yml``."""
    return {
        name: {
            "description": option.meaning,
            "version_added": __version__,
            "type": option.type,
            "example": option.example,
            "default": option.default,
        }
        for name, option in settings.OPTIONS.items()
    }


def _modules(room: str) -> list[dict[str, Any]]:
    """Every module of a room that defines something to use, found by its class: none has to be listed by hand."""
    defines = re.compile(rf"^class [A-Z]\w*{ROOMS[room]}\b", re.MULTILINE)
    files = sorted(Path(__file__).with_name(room).glob("*.py"))
    modules = [f"ontap_mlops.{room}.{file.stem}" for file in files if defines.search(file.read_text(encoding="utf-8"))]
    return [{"integration-name": _INTEGRATION, "python-modules": modules}]


def get_provider_info() -> dict[str, Any]:
    return {
        "package-name": "airflow-provider-ontap-mlops",
        "name": "NetApp ONTAP for machine learning",
        "description": "Dataset versions, workspaces, workloads and deployments on NetApp ONTAP storage.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.netapp.com/us-en/ontap-automation/",
                "tags": ["service"],
            }
        ],
        **{room: _modules(room) for room in ROOMS},
        "connection-types": [_ONTAP_CONNECTION, _COPY_SYNC_CONNECTION, _AZURE_CONNECTION, _GOOGLE_CONNECTION],
        "extra-links": list(EXTRA_LINKS),
        "asset-uris": [
            {
                "schemes": ["ontap"],
                "handler": "ontap_mlops.assets.sanitize_uri",
                "to_openlineage_converter": "ontap_mlops.assets.convert_asset_to_openlineage",
            }
        ],
        "config": {settings.SECTION: {"description": _CONFIG_SECTION, "options": _options()}},
    }
