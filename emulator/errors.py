"""ONTAP's error answer, and the codes that every resource shares."""

from __future__ import annotations

from typing import Any


class OntapError(Exception):
    """What becomes ``{"error": {"message", "code", "target"}}``; inside a job it becomes the job's error.

    A resource's ``errors.py`` has one subclass per documented code, with ONTAP's own wording in the constructor.
    """

    status = 400
    code = "2"

    def __init__(
        self, message: str, target: str | None = None, *, code: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.target = target
        self.code = code or self.code
        self.status = status or self.status

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "code": self.code}
        if self.target:
            error["target"] = self.target
        return {"error": error}


def shortened(value: object) -> str:
    """As much of what a client sent as an error message can carry."""
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."


class Exists(OntapError):
    status, code = 409, "1"


class BadValue(OntapError):
    status, code = 400, "262197"

    def __init__(self, value: object, field: str, kind: str = "value") -> None:
        super().__init__(f'The value "{shortened(value)}" is invalid for field "{field}" (<{kind}>)', field)


class NotSupported(OntapError):
    status, code = 400, "3"


class NotFound(OntapError):
    status, code = 404, "4"

    def __init__(self, target: str = "uuid") -> None:
        super().__init__("entry doesn't exist", target)


class NotAllowed(OntapError):
    status, code = 403, "6"

    def __init__(self, message: str = "not authorized for that command") -> None:
        super().__init__(message)


class InUse(OntapError):
    status, code = 409, "8"


class Unauthorized(OntapError):
    status, code = 401, "6691623"

    def __init__(self) -> None:
        super().__init__("User is not authorized.")


class UnknownArgument(OntapError):
    status, code = 400, "262179"

    def __init__(self, name: str) -> None:
        name = shortened(name)
        super().__init__(f'Unexpected argument "{name}".', name)


class MissingField(OntapError):
    status, code = 400, "262196"

    def __init__(self, name: str) -> None:
        super().__init__(f'Missing value for field "{name}".', name)


class NoQuery(OntapError):
    """Without a query or a list of records, a typing error would change everything there is."""

    status, code = 400, "262185"

    def __init__(self) -> None:
        super().__init__("A query that selects the records to change is required.")


class TooLarge(OntapError):
    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is longer than {limit} bytes.")


class TooSlow(OntapError):
    status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request body did not arrive within {seconds:g} seconds.")


class NoSuchApi(OntapError):
    status, code = 404, "3"

    def __init__(self) -> None:
        super().__init__("API not found")


class NoSuchMethod(OntapError):
    status, code = 405, "3"

    def __init__(self, method: str) -> None:
        super().__init__(f"The method {method} is not supported for this API.")
