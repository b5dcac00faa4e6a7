"""Pixel bombs: pictures and films of more pixels than anyone should decode, or of none."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from tests.corpus.case import OK, SEE, Case, upload
from tests.corpus.clips import Pictures, encode
from tests.corpus.stills import jpeg, png

BIG, BROKEN = "media-too-big", "undecodable"
SIZES = {"0x0": (0, 0), "65535x1": (65_535, 1), "32768x32768": (32_768, 32_768)}

# One gray frame of 3072 x 3072 in Matroska: few builds can write it quickly.
AV1 = zlib.decompress(
    base64.b85decode(
        "c-oV4y}x*|Q(GgW({~{L)X3uWxsk)EsUtVBq$s~QJJG2fDAd}>BoW+@&d2})jGqL3XO|q<-%@{tIoEf0"
        "ckt>KQO}iW!D|{9LU>{!>#~8oGrqfffIOj)!|B0mni%aNT$$kA*&yz<HxSbpf*Gg}K<-(#zs22K?Tgm+"
        "jm`W{4!#X7K8a;%;f`R+rL)7q1)>z>*mwI|*4=-vxDM)~`0I^~#Ya1!W--obWKh~Vr@1sQrK6Fdtu-v("
        "G0d>Jkx}_^a|=^a6vKm_4NW`@yMQ=kQzJ|0yG90>&zKk(k{3;C6yRat;sJ7--u-|7hv^4{11Lmx?{A5%"
        "PS+_e-jsZxI~ieF`iX_Ei#uFGgB(LV{rz0pCmR@8fsvkpi2(#K$UAQ<y|lljROZ^1=Zy@Dk2f+fG$3s7"
        "`pMv6WGukY&Cuw|q2R#Kz%cbv?2_Z<rrD>YeCvG;ljUBloz>Hz_<qOgnCX@$zs$2fmZ=(a>1P5cW~T3N"
        "v6Mc;y}N&NBg6JCV2b$I#905KkrM#HYq5g"
    )
)


def gray(side: int, count: int) -> list[np.ndarray]:
    """Return square gray frames."""
    return [np.full((side, side, 3), 90, np.uint8)] * count


def cases() -> list[Case]:
    """Return 18 cases."""
    return [
        upload(f"pixels {name}", body, *codes, path=SEE, bomb=True)
        for name, (body, *codes) in {**_stills(), **_films()}.items()
    ]


def _stills() -> dict[str, tuple]:
    made: dict[str, tuple] = {}
    for name, size in SIZES.items():
        made[f"png {name}"] = png(64, 64, size), BIG, BROKEN, "no-usable-track"
        made[f"jpeg {name}"] = jpeg(size), BIG, BROKEN, "no-usable-track", OK
    made["png true"] = png(12_000, 1_200), BIG
    made["png true square"] = png(12_000, 12_000), BIG
    return made


def _films() -> dict[str, tuple]:
    fast = {"preset": "ultrafast"}
    huge = gray(3072, 1)
    h264 = Pictures("libx264", huge, options=fast)
    vp9 = Pictures("libvpx-vp9", huge, options={"deadline": "realtime", "cpu-used": "8"})
    mjpeg = encode("avi", pictures=Pictures("mjpeg", gray(64, 20), 25, "yuvj420p"))
    many = encode("avi", pictures=Pictures("png", gray(64, 20), 25, "rgb24"))
    small, large = (
        encode("mpegts", pictures=Pictures("libx264", gray(side, 5), options=fast))
        for side in (64, 3072)
    )
    return {
        "h264 mp4": (encode("mp4", pictures=h264), BIG),
        "h264 ts": (large, BIG),
        "vp9 webm": (encode("webm", pictures=vp9), BIG),
        "av1 mkv": (AV1, BIG),
        "mjpeg avi": (_claim(mjpeg, b"\xff\xc0", 5, 32_768), BIG, BROKEN),
        "mjpeg avi 0x0": (_claim(mjpeg, b"\xff\xc0", 5, 0), BROKEN, "no-usable-track", OK),
        "png avi": (_claim(many, b"IHDR", 4, 12_000, 4), BIG, BROKEN),
        "png avi and zeros": (_claim(many, b"IHDR", 4, 0, 4), BROKEN, "no-usable-track"),
        "grows": (small + large, OK, BIG),
        # what is too big is left out, which is as good
        "shrinks": (large + small, OK, BIG),
    }


def _claim(film: bytes, mark: bytes, after: int, side: int, width: int = 2) -> bytes:
    """Return a film in whose every picture another size is written."""
    content, at = bytearray(film), film.find(mark)
    while at >= 0:
        size = side.to_bytes(width, "big") * 2
        content[at + after : at + after + 2 * width] = size
        at = film.find(mark, at + 1)
    return bytes(content)
