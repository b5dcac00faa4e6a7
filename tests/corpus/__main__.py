"""``python -m tests.corpus --out DIR`` writes the corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.corpus.catalogue import write

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="write the hostile input corpus")
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    print(f"{write(out)} cases in {out}")
