"""The server of decoding children, without its list of formats."""

from __future__ import annotations

from crossmodal.media import allowed, childserver

if __name__ == "__main__":
    del allowed.GUARDS["format_whitelist"]
    childserver.main()
