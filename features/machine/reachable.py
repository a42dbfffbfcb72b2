"""Whether what is to be downloaded can be reached: asked once, before libraries try for minutes."""

from __future__ import annotations

import os
import threading
import time
from urllib.parse import urlsplit

PATIENCE = 4.0  # seconds
REMEMBERED = 60.0  # seconds that an answer stands for others of the same host
_answers: dict[str, tuple[float, str]] = {}


def why_no_hub() -> str:
    """Why nothing can be had from the Hugging Face hub; "" where it answers.

    HF_HUB_OFFLINE forbids to ask it, and says nothing of other hosts.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE forbids to try"
    from huggingface_hub.constants import ENDPOINT

    return why_unreachable(ENDPOINT)


def why_unreachable(address: str) -> str:
    """Why nothing can be had from the host of an address; "" where it answers, whatever it says.

    It is tried once, for `PATIENCE` seconds, proxies and all; the answer is remembered a while.
    """
    parts = urlsplit(address)
    host = f"{parts.scheme}://{parts.netloc}"
    asked, answer = _answers.get(host, (-REMEMBERED, ""))
    if time.monotonic() - asked > REMEMBERED:
        answer = _asked(host)
        _answers[host] = time.monotonic(), answer
    return answer


def _asked(host: str) -> str:
    # these import what encrypts connections, and few runs ask
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    answers = [f"no answer from {host} within {PATIENCE:.0f} s"]

    def ask() -> None:
        try:
            with urlopen(Request(host, method="HEAD"), timeout=PATIENCE):
                answers.append("")
        except HTTPError:  # it is there, and says no to this
            answers.append("")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            answers.append(f"{host} cannot be reached: {reason}")

    # names may take longer to be looked up than any time limit says
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answers[-1]
