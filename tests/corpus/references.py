"""References: files that ask FFmpeg to open something else, a file or a connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.corpus.boxes import box, full, movie
from tests.corpus.case import HEAR, OK, SEE, Case, upload
from tests.corpus.clips import clip


@dataclass(frozen=True)
class Canary:
    """What nobody may touch: two ports of this machine and a file."""

    tcp: int = 40_001
    udp: int = 40_002
    file: Path = Path("/srv/canary.mp4")


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {}\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 {}\nt=0 0\nm={} {} RTP/AVP {}\n"


def texts(canary: Canary) -> dict[str, bytes]:
    """Return playlists and the like, by name."""
    url, file = f"http://127.0.0.1:{canary.tcp}/canary", canary.file
    made = {
        "hls relative": HLS.format(file.name),
        "hls file": HLS.format(f"file:{file}"),
        "hls http": HLS.format(f"{url}.ts"),
        "hls tcp": HLS.format(f"tcp://127.0.0.1:{canary.tcp}"),
        "hls concat": HLS.format(f"concat:{file}|{file}"),
        "hls subfile": HLS.format(f"subfile,,start,0,end,0,,:{file}"),
        "hls key": HLS.format(file.name).replace(
            "#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF'
        ),
        "ffconcat relative": CONCAT.format(file.name),
        "ffconcat absolute": CONCAT.format(file),
        "ffconcat up": CONCAT.format(f"../../{file.name}"),
        "ffconcat http": CONCAT.format(url),
        "ffconcat udp": CONCAT.format(f"udp://127.0.0.1:{canary.udp}"),
        "ffconcat data": CONCAT.format("data:audio/wav;base64,UklGRg=="),
        "sdp audio": SDP.format("127.0.0.1", "audio", canary.udp + 2, 0),
        "sdp video": SDP.format("127.0.0.1", "video", canary.udp + 4, 31),
        "sdp multicast": SDP.format("224.2.2.2/1", "audio", canary.udp + 6, 0),
        "dash": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
            f"<BaseURL>{url}</BaseURL></MPD>"
        ),
        "smil": f'<smil><body><audio src="{url}"/></body></smil>',
        "xspf": f"<playlist><location>{url}</location></playlist>",
        "m3u": f"#EXTM3U\n{url}.mp3\n",
        "pls": f"[playlist]\nFile1={url}.mp3\n",
        "asx": f'<asx><entry><ref href="{url}"/></entry></asx>',
        "data": "data:audio/wav;base64,UklGRg==",
        "lavfi": f"lavfi:movie={file}",
        "names": f"{file.stem}%d.mp4",
    }
    return {name: text.encode() for name, text in made.items()}


def elsewhere(canary: Canary) -> dict[str, bytes]:
    """Return films whose media are said to lie in another file."""
    path = str(canary.file).encode() + b"\0"
    size = len(path).to_bytes(2, "big")
    alias = bytes(8) + b"\0\x02" + bytes(138) + b"\x00\x12" + size + path + b"\xff\xff\0\0"
    made = {}
    for name, entry in (
        ("dref", box(b"url ", bytes(4), path)),
        ("alias", box(b"alis", bytes(4), alias)),
    ):
        listed = box(b"dinf", box(b"dref", bytes(4), b"\0\0\0\1", entry))
        # beside the sample tables, where FFmpeg looks for it as well
        made[f"mov {name}"] = movie(1, {b"dref": listed, b"stsz": full(b"stsz", 1000, 1)})
    avi = bytearray(clip("avi"))
    index = b"indx" + (40).to_bytes(4, "little") + path[:40].ljust(40, b"\0")
    at = avi.index(b"JUNK")
    avi[at : at + len(index)] = index
    made["avi indx"] = bytes(avi)
    return made


def cases(canary: Canary | None = None) -> list[Case]:
    """Return 28 cases, in turn to each route that decodes."""
    canary = canary or Canary()
    routes = (
        ("POST", HEAR),
        ("POST", SEE),
        ("POST", "/search/visual2audio"),
        ("PUT", "/items/new"),
    )
    made = []
    for number, (name, body) in enumerate(texts(canary).items()):
        method, path = routes[number % len(routes)]
        name = f"reference {name}"
        made.append(upload(name, body, "unsupported-media", path=path, method=method))
    # without what it refers to, a file may still be one
    refused = ("undecodable", "no-usable-track", "unsupported-media")
    made += [
        upload(f"reference {name}", body, *refused, OK, path=HEAR)
        for name, body in elsewhere(canary).items()
    ]
    return made
