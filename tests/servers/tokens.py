"""upbeat-token, as people run it; and the form of a token, worked out anew."""

import hashlib
import subprocess

from .processes import build_folder
from .stack import Stack

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FNV_START, FNV_PRIME = 14695981039346656037, 1099511628211


def base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, 62)
        text = DIGITS[rest] + text
    return text


def token_of(random: bytes) -> str:
    """The token of 20 random bytes, as lib/base/token.h describes it."""
    text = "ubt_" + base62(int.from_bytes(random, "big"), 27)
    checksum = FNV_START
    for byte in text.encode():
        checksum = (checksum ^ byte) * FNV_PRIME % 2**64
    return text + base62(checksum % 62**6, 6)


def run_token(stack: Stack, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [build_folder() / "fcgi" / "upbeat-token", *words],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        env=stack.fetchers.environment,
    )


def add_token(stack: Stack, host: str, *words: str) -> str:
    """A new token of this host (or H,H2), with more words of the command line."""
    ended = run_token(stack, "add", "--host", host, "--note", "a test", *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def id_of(stack: Stack, token: str) -> int:
    digest = hashlib.sha256(token.encode()).digest()  # PostgreSQL logs all that it is given
    return stack.database.value("select token_id from access_tokens where digest = %s", digest)
