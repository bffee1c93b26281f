"""What the other tests of this folder stand on."""

import pytest

pytestmark = pytest.mark.clients


def test_a_client_is_refused_by_a_system_whose_authority_it_does_not_know(programs, system):
    script = "import requests, sys; print(requests.get(sys.argv[1], auth=('admin', sys.argv[2])).status_code)"
    trusting = programs.run("python", "-c", script, f"{system.url}/api/cluster", system.password)
    assert trusting.stdout.strip() == "200", trusting.stderr
    other = programs.run("python", "-c", script, f"{system.url}/api/cluster", system.password, REQUESTS_CA_BUNDLE="")
    assert "CERTIFICATE_VERIFY_FAILED" in other.stderr


def test_clients_bring_their_own_libraries_and_not_ours(programs):
    found = programs.run(
        "python", "-c", "import importlib.util as u; print(*map(u.find_spec, ['airflow', 'emulator']))"
    )
    assert found.stdout.strip() == "None None", found.stderr
