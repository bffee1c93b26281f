"""The aws-chunked body coding: unsigned with a checksum trailer (what boto3 sends over HTTPS), or every chunk signed.

<hex size>[;chunk-signature=<hex>]\\r\\n <bytes> \\r\\n ... 0[;chunk-signature=...]\\r\\n [trailers] \\r\\n
"""

from __future__ import annotations

import hashlib
import hmac

from emulator.s3 import errors, numeric, sigv4

STREAMING = "STREAMING-"
_EMPTY_SHA256 = hashlib.sha256().hexdigest()
_MAX_LINE = 8192
_MAX_TRAILERS = 32


class Decoder:
    """Feed it the coded bytes in any pieces; it returns the content and, at the end, holds the trailers.

    Raises S3Error at the first chunk whose signature is wrong, so that nothing after it is used.
    """

    def __init__(self, word: str, signed: sigv4.Signed | None) -> None:
        self._signs = word.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        self._has_trailer = word.endswith("-TRAILER")
        if not self._signs and word != "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
            raise errors.S3Error("NotImplemented", f"The body coding {word} is not supported.")
        if self._signs and (signed is None or signed.content_sha256 != word):
            raise errors.S3Error("InvalidRequest", "Chunks are signed only where the Authorization header signs too.")
        self._proof = signed
        self._previous = signed.signature if signed else ""
        self._buffer = b""
        # What lies before it is used up; cutting that off after each of many small chunks would take for ever.
        self._at = 0
        self._left: int | None = None  # bytes of the chunk still to come; None: a size line comes next
        self._hash = hashlib.sha256()
        self._claimed = ""
        self._trailer_lines: list[str] = []
        self._in_trailer = False
        self.trailers: dict[str, str] = {}
        self.done = False

    def feed(self, data: bytes) -> bytes:
        self._buffer, self._at = self._buffer[self._at :] + data, 0
        content: list[bytes] = []
        while self._step(content):
            pass
        if self.done and self._at < len(self._buffer):
            raise errors.S3Error("InvalidRequest", "The aws-chunked body goes on after its last chunk.")
        return b"".join(content)

    def finish(self) -> None:
        if not self.done:
            raise errors.S3Error("IncompleteBody", "The body ended before its last chunk.")

    def _step(self, content: list[bytes]) -> bool:
        """One move forward; False when more bytes are needed."""
        if self.done:
            return False
        if self._in_trailer:
            return self._read_trailer_line()
        if self._left is None:
            return self._read_size_line()
        return self._read_content(content) if self._left else self._read_chunk_end()

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n", self._at, self._at + _MAX_LINE)
        if end < 0:
            if len(self._buffer) - self._at >= _MAX_LINE:
                raise errors.S3Error("InvalidRequest", "A chunk header of the aws-chunked body is too long.")
            return None
        line, self._at = self._buffer[self._at : end], end + 2
        return line.decode("latin-1")

    def _read_size_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size, _, extension = line.partition(";")
        self._left = numeric.hexadecimal(size, "The size of a chunk of the aws-chunked body")
        self._claimed = extension.partition("chunk-signature=")[2]
        self._hash = hashlib.sha256()
        if self._left == 0:
            self._check_chunk()
            self._in_trailer = True
        return True

    def _read_content(self, content: list[bytes]) -> bool:
        if self._at == len(self._buffer) or self._left is None:
            return False
        piece = self._buffer[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        if self._signs:
            self._hash.update(piece)
        content.append(piece)
        return True

    def _read_chunk_end(self) -> bool:
        if len(self._buffer) - self._at < 2:
            return False
        if not self._buffer.startswith(b"\r\n", self._at):
            raise errors.S3Error("InvalidRequest", "A chunk of the aws-chunked body is longer than its size.")
        self._at += 2
        self._check_chunk()
        self._left = None
        return True

    def _read_trailer_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            self._trailer_lines.append(line)
            if len(self._trailer_lines) > _MAX_TRAILERS:
                raise errors.S3Error("MalformedTrailerError", "The aws-chunked body has too many trailer lines.")
            return True
        self._close_trailer()
        self.done = True
        return True

    def _close_trailer(self) -> None:
        fields = dict(line.partition(":")[::2] for line in self._trailer_lines)
        fields = {name.strip().lower(): value.strip() for name, value in fields.items()}
        if fields and not self._has_trailer:
            raise errors.S3Error("MalformedTrailerError", "x-amz-content-sha256 says that the body has no trailer.")
        claimed = fields.pop("x-amz-trailer-signature", "")
        if self._signs and self._has_trailer:
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(fields.items()))
            digest = hashlib.sha256(canonical.encode()).hexdigest()
            self._check("AWS4-HMAC-SHA256-TRAILER", digest, claimed)
        self.trailers = fields

    def _check_chunk(self) -> None:
        if self._signs:
            digest = f"{_EMPTY_SHA256}\n{self._hash.hexdigest()}"
            self._check("AWS4-HMAC-SHA256-PAYLOAD", digest, self._claimed)

    def _check(self, kind: str, digest: str, claimed: str) -> None:
        proof = self._proof
        if proof is None:
            raise errors.S3Error("InvalidRequest", "A chunk is signed, and the request is not.")
        text = f"{kind}\n{proof.timestamp}\n{proof.scope}\n{self._previous}\n{digest}"
        expected = sigv4.sign(proof.signing_key, text)
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise errors.S3Error("SignatureDoesNotMatch", "A chunk of the body does not match its signature.")
        self._previous = expected
