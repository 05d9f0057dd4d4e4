"""A mail server on port 25 of the machine whose network it has: says "ready", and until TERM what it gets."""

import signal
import sys

from aiosmtpd.controller import Controller


class Printer:
    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:
        print(envelope.content.decode("utf-8", "replace"), flush=True)  # type: ignore[attr-defined]
        return "250 taken"


def main() -> None:
    stop = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    controller = Controller(Printer(), hostname="127.0.0.1", port=25)
    controller.start()
    print("ready", flush=True)
    signal.sigwait(stop)
    controller.stop()


if __name__ == "__main__":
    sys.exit(main())
