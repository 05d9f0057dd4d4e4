"""Asks without a pause, in several threads, until TERM; then says as JSON what came of it: asker.py URL KEY HOST. Run
with the network of the machine that it asks."""

import http.client
import json
import signal
import sys
import threading
import time
from urllib.parse import urlsplit

THREADS = 4
TIMEOUT_S = 15
LONGEST_S = 300  # where nobody says TERM


def ask(address: str, path: str, key: str) -> tuple[str, bytes]:
    """Status, or what went wrong, and body; on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"X-CB-AK": key})
        answer = connection.getresponse()
        return str(answer.status), answer.read()
    except (OSError, http.client.HTTPException) as fault:
        return repr(fault), b""
    finally:
        connection.close()


def main() -> None:
    url, key, host = sys.argv[1:]
    address = urlsplit(url).netloc
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    answers: list[tuple[float, float, str, str, str]] = []

    def ask_on(number: int) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            # Another limit each time, so that nginx has no copy and a worker must answer.
            rows = 1 + (turn * THREADS + number) % 9000
            paths = (
                f"/api/v1.0/increasingconcurrents?host={host}&limit={rows}",
                f"/api/v1.0/events?host={host}&limit={1 + rows % 100}",
                "/",
            )
            path = paths[turn % len(paths)]
            from_s = time.monotonic()
            status, body = ask(address, path, key)
            version = json.loads(body)["version"] if path == "/" and status == "200" else ""
            answers.append((from_s, time.monotonic() - from_s, path.partition("?")[0], status, version))

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    over.wait(LONGEST_S)
    over.set()
    for thread in threads:
        thread.join()
    json.dump(sorted(answers), sys.stdout)


if __name__ == "__main__":
    main()
