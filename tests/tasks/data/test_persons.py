"""What names or places a person is found, and what only looks like it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tasks.data.persons import EMAIL, OWNER, PHONE, POSITION, in_image, in_text

HARMLESS = [
    "+0.094708", "t,fx\n0,+1.315447\n1,+2.733537", "+12.25 25.50 33.75", "+1.23456 20260101", "+1.5e+08,+1234567",
    "+48.8577+002.295/", "+48.85770, +12.29500", "+40.20361 -75.00417", "-0.25\t+101.325000", "+12 123456.75",
    "1.0.0+20261126.13", "v1.22.333-4", "2026-11-26T10:00:00.123456+01:00", "2026-11-26 10:00 +1000 2026-11-26 11:00",
    "550e8400-e29b-41d4-a716-446655440000", "00000000-1111-2222-3333-444444444444", "978-3-16-148410-0",
    "205/55R16 91V, 4250-1234-567", "PN 100-200-3000-A", "Nature (2019) 570 123", "(2019) 12345678", "10.0.0.1:8080",
    "1,2,3\n100,200,300\n1234567890,9876543210", "(123) 456.7890", "0x1F+15551234567", "a+15551234567",
    "tyre@2x.png", '{"logo": "brand@3x.svg"}', "icon@1.5x.WEBP", "photo@dusk.min.jpeg", "model@v2.onnx",
    "app@main.js", "user@localhost", "root@nas.local", "me@host.lan", "root@10.0.0.1", "a @ b, @decorator, user@host",
    "@angular/core@1.2.3", "lodash@4.17.21-beta.rc",
    "archive@2026.tar.gz", "weights@v1.safetensors", "t=+1764151200", "+10 000 000", "+1 000 000 000", "GMT+1000",
    "git@github.com:owner/name.git", "busybox@sha256:abcdef", "x@y",
]  # fmt: skip
ADDRESSES = [
    "ask ada@example.org now", "Ada.Lovelace+x@mail.example.co.uk", "<ada@example.com>", "name@163.com",
    "mailto:a_b@c.io", "jörg@müller.de", "ada@png.example.org", "x,ada@example.md,y", "ada@sub-domain.example.museum.",
    "tyre@2x.png a@b.com",
]  # fmt: skip
NUMBERS = [
    "+49 30 1234567", "+49 (0)30 123456-78", "+1 (555) 123-4567", "+1-555-123-4567", "+1 555-123-4567",
    "+1.555.123.4567", "+33 1 23 45 67 89", "+33 1.23.45.67.89", "+442079460958", "+44 20 7946 0958", "+49/30/123456",
    "+49.30.1234567", "+86 138 0013 8000", "+7 (495) 123-45-67", "+91 98765 43210", "+49 3012345678",
    "(555) 123-4567", "(0123) 456-7890", "(030) 1234567",
    "+420 777 123 456", "+49(0)301234567", "call 555-123-4567 now", "tel:+15551234567.",
    "1,+4930123456,2", "+0.5 and +49 30 1234567",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_an_address_or_a_number_is_harmless(text: str) -> None:
    assert in_text([text.encode()]) == set()


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_found(text: str) -> None:
    assert in_text([text.encode()]) == {EMAIL}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_telephone_number_is_found(text: str) -> None:
    assert in_text([text.encode()]) == {PHONE}


def exif(path: Path, tags: dict[int, Any], ifd: int | None = None) -> set[str]:
    image = Image.new("RGB", (4, 4))
    known = image.getexif()
    (known.get_ifd(ifd) if ifd else known).update(tags)
    image.save(path, exif=known)
    with Image.open(path) as saved:
        return in_image(saved)


D = (IFDRational(52), IFDRational(31), IFDRational(12))
NONE = (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0))


@pytest.mark.parametrize(
    ("gps", "placed"),
    [
        ({1: "N", 2: D, 3: "E", 4: D}, True),
        ({2: D, 4: D}, True),
        ({1: "S", 2: (IFDRational(525200, 10000),) * 3, 3: "W", 4: D}, True),
        ({0: b"\x02\x03\x00\x00"}, False),
        ({1: "N", 3: "E"}, False),
        ({5: b"\x00", 6: IFDRational(100)}, False),
        ({7: D, 29: "2026:11:26"}, False),
        ({1: "N", 2: D}, False),
        ({1: "N", 2: NONE, 3: "E", 4: NONE}, False),
        ({1: "N", 2: D, 3: "E", 4: NONE}, False),
        ({1: "N", 2: (IFDRational(999),) * 3, 3: "E", 4: D}, False),
    ],
)
def test_a_position_is_a_latitude_and_a_longitude(tmp_path: Path, gps: dict[int, Any], placed: bool) -> None:
    assert exif(tmp_path / "a.jpg", gps, 0x8825) == ({POSITION} if placed else set())


@pytest.mark.parametrize(
    ("tags", "ifd", "named"),
    [
        ({0x9C9D: "Ada".encode("utf-16-le")}, None, True),
        ({0x9C9D: "李\0".encode("utf-16-le")}, None, True),
        ({0x9C9D: b"\0\0"}, None, False),
        ({0x9C9D: "  \0".encode("utf-16-le")}, None, False),
        ({0x9C9D: b""}, None, False),
        ({0x013B: "Ada L."}, None, True),
        ({0x013B: " \0"}, None, False),
        ({0x013B: "-"}, None, False),
        ({0xA430: "Ada L."}, 0x8769, True),
        ({0xA430: "    "}, 0x8769, False),
    ],
)
def test_an_owner_has_a_name(tmp_path: Path, tags: dict[int, Any], ifd: int | None, named: bool) -> None:
    assert exif(tmp_path / "a.jpg", tags, ifd) == ({OWNER} if named else set())
