"""Ask a service of this container a question: ``health.py URL STATUS [CA]``; exit code 0 when it answers with STATUS.

CA is the file of the certificate authority of an https URL. A STATUS such as 403 says that a service refuses strangers,
which is what a healthy one does.
"""

from __future__ import annotations

import ssl
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def main(url: str, expected: str, authority: str | None = None) -> int:
    try:
        status = ask(url, authority)
    except (OSError, ValueError) as error:
        print(f"{url} does not answer: {error}", file=sys.stderr)
        return 1
    if status != int(expected):
        print(f"{url} answers {status} instead of {expected}", file=sys.stderr)
    return int(status != int(expected))


def ask(url: str, authority: str | None) -> int:
    """Return the status of a GET, past any proxy. OSError where nobody answers."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=TIMEOUT_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
