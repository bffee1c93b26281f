"""An object on its way in: checked while it arrives, staged beside the volumes, renamed into place when complete."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path

from emulator.s3 import checksums, chunked, conditions, errors, facts, kept, keys, numeric, quotas, sigv4
from emulator.s3.context import Context
from emulator.s3.target import Target

MAX_OBJECT = 5 << 30  # one PUT; larger objects need a multipart upload
_THREAD_FROM = 4 << 20  # bodies from here on are hashed and written in a thread, so that others are served meanwhile
_THREAD_FROM_SLOW = 64 << 10  # the same where Python itself computes the checksum
_BATCH = 1 << 20


class Incoming:
    """A staged file and everything the client said about its content.

    Use as a context manager: whatever was not published is gone at the end. A killed process leaves its staged file
    in staging, which the emulator empties when it starts.
    """

    def __init__(self, ctx: Context, *, has_checksums: bool = True) -> None:
        headers = ctx.req.headers
        self.path = str(ctx.server.world.dataplane.stage())
        self.size = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._declared = declared_size(ctx)
        self._content_md5 = _decoded_md5(headers.get("content-md5"))
        self._sha256_wanted = _hex_digest(ctx)
        self._sha256 = hashlib.sha256()
        self._decoder = _decoder(ctx)
        self._wanted = checksums.sent(headers) if has_checksums else {}
        self._announced = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")} - {""}
        trailer = checksums.sent(dict.fromkeys(self._announced, ""))
        self._sums = {name: checksums.new(name) for name in self._wanted | trailer}
        self._thread_from = _THREAD_FROM_SLOW if any(map(checksums.is_slow, self._sums)) else _THREAD_FROM
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)  # noqa: PTH108

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums that were verified, in base64 by name."""
        return dict(self._wanted)

    @property
    def echoed(self) -> dict[str, str]:
        """The checksums that were verified, as answer headers."""
        return checksums.headers(self.checksums, "FULL_OBJECT")

    async def receive(self, ctx: Context) -> None:
        """Take the whole body and verify all that was said about it."""
        batch: list[bytes] = []
        held = 0
        async for piece in ctx.req.chunks():
            batch.append(piece)
            held += len(piece)
            if held >= _BATCH:
                await self._take(b"".join(batch))
                batch, held = [], 0
        await self._take(b"".join(batch))
        self._verify()
        os.close(self._descriptor)
        self._descriptor = -1

    async def _take(self, data: bytes) -> None:
        # A body in very small chunks is many times as long as what it declares.
        if self._declared >= self._thread_from or (self._decoder and len(data) >= _THREAD_FROM_SLOW):
            await asyncio.to_thread(self._add, data)
        else:
            self._add(data)

    def _add(self, data: bytes) -> None:
        if self._sha256_wanted:
            self._sha256.update(data)
        content = self._decoder.feed(data) if self._decoder else data
        self.size += len(content)
        if self.size > self._declared:
            raise errors.S3Error("IncompleteBody", "The body is longer than its declared length.")
        self.md5.update(content)
        for checksum in self._sums.values():
            checksum.update(content)
        with room_errors():
            view = memoryview(content)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def _verify(self) -> None:
        if self._decoder:
            self._decoder.finish()
            if unannounced := self._decoder.trailers.keys() - self._announced:
                raise errors.S3Error(
                    "MalformedTrailerError", f"The trailers {sorted(unannounced)} were not announced in x-amz-trailer."
                )
            self._wanted |= checksums.sent(self._decoder.trailers)
        if self.size != self._declared:
            raise errors.S3Error("IncompleteBody", f"{self.size} bytes arrived of the {self._declared} declared.")
        if self._sha256_wanted and not hmac.compare_digest(self._sha256.hexdigest(), self._sha256_wanted):
            raise errors.S3Error(
                "XAmzContentSHA256Mismatch", "The body does not match its header x-amz-content-sha256."
            )
        if self._content_md5 and self.md5.digest() != self._content_md5:
            raise errors.S3Error("BadDigest", "The body does not match its header Content-MD5.")
        for name, checksum in self._sums.items():
            if name not in self._wanted:
                raise errors.S3Error("InvalidRequest", f"The announced trailer {checksums.PREFIX}{name} did not come.")
            checksums.check(name, checksum, self._wanted[name])


async def small_body(ctx: Context, limit: int, *, has_checksums: bool = True) -> bytes:
    """A whole XML body in memory, verified like an object; without `has_checksums` those sent are not the body's."""
    if declared_size(ctx) > limit:
        raise errors.S3Error("EntityTooLarge", f"The request body may have {limit} bytes.")
    with Incoming(ctx, has_checksums=has_checksums) as incoming:
        await incoming.receive(ctx)
        return Path(incoming.path).read_bytes()


async def publish(
    ctx: Context, target: Target, staged: str, key: str, found: facts.Facts, wanted: conditions.Conditions
) -> os.stat_result:
    """Put a staged file at the place of its key in one step, with its facts already on it, if what is wanted holds.

    Other writers of the key wait meanwhile, so that of two that want it to be new, one is refused.
    """
    path = target.writable_path_of(key)
    async with ctx.server.changing(path):
        if wanted:
            now = await facts_now(ctx, path)
            if now is None and "if-match" in wanted.wanted:
                raise errors.S3Error("NoSuchKey", f"There is no object {key!r} that If-Match could hold for.")
            wanted.require(now)
        stat = await _publish(ctx, target, staged, path, found)
        if not target.is_nas:
            ctx.server.index.add(target.root, key)
        return stat


async def facts_now(ctx: Context, path: str) -> facts.Facts | None:
    """Facts of what is at a path now; None where no object is."""
    stat = keys.regular(path)
    return await asyncio.to_thread(ctx.server.facts.of, path, stat) if stat else None


async def _publish(ctx: Context, target: Target, staged: str, path: str, found: facts.Facts) -> os.stat_result:
    """Room is taken before the first moment that others can run, so that writers together never overfill a volume."""
    stat = os.stat(staged)  # noqa: PTH116
    replaced = size_now(path)
    grows_by = stat.st_size - (replaced or 0)
    ctx.server.space.require(target, grows_by)
    quotas.require(ctx.server.world, target, path, grows_by, new=replaced is None)
    kept.require(ctx.server.world, target, path)
    ctx.server.space.note(target.volume_root, grows_by)
    try:
        ctx.server.facts.remember(staged, stat, found)
        with room_errors():
            if replaced is None:
                _rename(staged, path)
            else:
                # ext4 writes a file's data out before it lets it replace another one.
                await asyncio.to_thread(_rename, staged, path)
    except BaseException:
        ctx.server.space.note(target.volume_root, -grows_by)
        raise
    if target.volume:
        ctx.server.world.dataplane.forget_used(target.volume["uuid"])
    return stat


def _rename(staged: str, path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        os.replace(staged, path)  # noqa: PTH105
    except (FileExistsError, NotADirectoryError) as e:
        raise errors.S3Error(
            "InvalidRequest", "A part of the key's path is an object already, so nothing can be below it."
        ) from e
    except IsADirectoryError as e:
        raise errors.S3Error("InvalidRequest", "The key is a folder in this bucket, so it cannot be an object.") from e


def size_now(path: str) -> int | None:
    """Bytes of what is at a path now, which a new object replaces; None when nothing is there."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


@contextlib.contextmanager
def room_errors() -> Iterator[None]:
    """A disk that is full is for the client what a full volume is."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.S3Error("QuotaExceeded", "The disk below the emulator is full.") from e
        raise


def declared_size(ctx: Context) -> int:
    """Bytes of the content, without its coding."""
    headers = ctx.req.headers
    name = "x-amz-decoded-content-length" if _is_streaming(ctx) else "content-length"
    if name not in headers:
        raise errors.S3Error("MissingContentLength", f"The length of the content must be declared in {name}.")
    size = numeric.decimal(headers[name], name)
    if size > MAX_OBJECT:
        raise errors.S3Error("EntityTooLarge", "One PUT takes at most 5 GiB; use a multipart upload.")
    return size


def _content_word(ctx: Context) -> str:
    """What is said of the body: by the signature, or by the header alone where that is none of the signature's."""
    if ctx.signed is not None and ctx.signed.content_sha256 != sigv4.UNSIGNED:
        return ctx.signed.content_sha256
    word = ctx.req.headers.get("x-amz-content-sha256", sigv4.UNSIGNED)
    sigv4.check_content_word(word)
    return word


def _is_streaming(ctx: Context) -> bool:
    return _content_word(ctx).startswith(chunked.STREAMING)


def _decoder(ctx: Context) -> chunked.Decoder | None:
    return chunked.Decoder(_content_word(ctx), ctx.signed) if _is_streaming(ctx) else None


def _hex_digest(ctx: Context) -> str:
    """The SHA-256 that the body must have, or "" where none is said."""
    word = _content_word(ctx)
    return "" if word == sigv4.UNSIGNED or word.startswith(chunked.STREAMING) else word


def _decoded_md5(header: str | None) -> bytes | None:
    if header is None:
        return None
    try:
        digest = base64.b64decode(header, validate=True)
    except ValueError:  # no base64, or not even ASCII
        digest = b""
    if len(digest) != 16:
        raise errors.S3Error("InvalidDigest", "Content-MD5 must be the base64 of a 16-byte digest.")
    return digest
