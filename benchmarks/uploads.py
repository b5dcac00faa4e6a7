"""Upload to results: a 10 s wav by sound, a 10 s 360p mp4 by picture.

The mp4 is measured beside the bare decode of the same file, taken in turn with it, so that
the ratio holds when the machine's speed drifts. Needs the demo collection (`make run`).
"""

import http.client
import io
import json
import statistics
import sys
import time
import uuid
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.server import serving

DATA = Path("var/data")
ROUNDS = 40
SECONDS = 10


def main() -> None:
    """Print p50 and p95 in milliseconds, and the ratio to the bare decode."""
    if not (DATA / "index" / "CURRENT").is_file():
        sys.exit(f"{DATA} holds no collection; run `make run` first")
    sound, video = wav_bytes(), mp4_bytes()
    with serving(DATA) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        sounds, videos, decodes = [], [], []
        for _ in range(5):
            search(connection, "audio2visual", sound)
            search(connection, "visual2audio", video)
            decode_pictures(video)
        for _ in range(ROUNDS):
            sounds.append(search(connection, "audio2visual", sound))
            videos.append(search(connection, "visual2audio", video))
            decodes.append(decode_pictures(video))
        connection.close()
    ratios = [query / bare for query, bare in zip(videos, decodes, strict=True)]
    result = {
        "wav_10s_p50_ms": statistics.median(sounds),
        "wav_10s_p95_ms": statistics.quantiles(sounds, n=20)[-1],
        "mp4_10s_360p_p50_ms": statistics.median(videos),
        "mp4_10s_360p_p95_ms": statistics.quantiles(videos, n=20)[-1],
        "bare_decode_p50_ms": statistics.median(decodes),
        "mp4_over_bare_decode": statistics.median(ratios),
        "rounds": ROUNDS,
    }
    print(json.dumps(result))


def search(connection: http.client.HTTPConnection, direction: str, clip: bytes) -> float:
    """Return the milliseconds from sending the clip to having read the results."""
    body, kind = multipart(clip)
    headers = {"Content-Type": kind}
    started = time.perf_counter()
    connection.request("POST", f"/search/{direction}", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    elapsed = 1e3 * (time.perf_counter() - started)
    if response.status != 200 or not answer["results"]:
        raise RuntimeError(f"{direction}: {response.status} {answer}")
    return elapsed


def multipart(clip: bytes) -> tuple[bytes, str]:
    """Return the body that uploads a clip, and its media type."""
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="clip"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + clip
    body += f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def decode_pictures(clip: bytes) -> float:
    """Return the milliseconds of decoding every picture of the file, in this process."""
    started = time.perf_counter()
    with av.open(io.BytesIO(clip)) as container:
        for _ in container.decode(video=0):
            pass
    return 1e3 * (time.perf_counter() - started)


def wav_bytes(seconds: int = SECONDS) -> bytes:
    """Return seconds of mono sound at 44.1 kHz, 16 bit."""
    rng = np.random.default_rng(0)
    rate = 44_100
    time_s = np.arange(rate * seconds) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time_s) + 0.05 * rng.standard_normal(len(time_s))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes((tone * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    return file.getvalue()


def mp4_bytes(seconds: int = SECONDS) -> bytes:
    """Return seconds of moving H.264 picture, 640 by 360 at 25 per second."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (360, 1280, 3), dtype=np.uint8)
    texture = np.repeat(np.repeat(texture[::12, ::12], 12, axis=0), 12, axis=1)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for number in range(25 * seconds):
            left = 2 * number % 640
            picture = np.ascontiguousarray(texture[:360, left : left + 640])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


if __name__ == "__main__":
    main()
