"""What an S3 client reads when a request is refused: a code it can act on, one sentence, and the HTTP status."""

from __future__ import annotations

STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidLocationConstraint": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidStorageClass": 400,
    "InvalidToken": 400,
    "KeyTooLongError": 400,
    "MalformedTrailerError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    # Amazon's 501 says the same, but some clients repeat whatever begins with a 5, ten times over.
    "NotImplemented": 400,
    "PreconditionFailed": 412,
    # A full volume. Amazon has no such case and ONTAP publishes no code for it; 507 is HTTP's own word for
    # "no room" and, unlike 503, is not a status that SDKs repeat blindly, since a repeat cannot help.
    "QuotaExceeded": 507,
    "RequestTimeTooSkewed": 403,
    "RequestTimeout": 400,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "XAmzContentSHA256Mismatch": 400,
}


class S3Error(Exception):
    """A refusal. `code` is one of STATUS; `message` is one sentence for the person behind the client.

    `headers` go out with the answer, e.g. Content-Range with an InvalidRange; `condition` is the one that failed.
    """

    def __init__(
        self,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        status: int | None = None,
        condition: str = "",
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.condition = condition
        self.status = STATUS[code] if status is None else status
