"""Starts a command where no name can be looked up: its nameserver takes every question and never answers.

    unshare --net --mount [--map-root-user] python3 unreachable.py RESOLV_CONF COMMAND…

In namespaces of its own, so that port 53 is free and /etc/resolv.conf is its own.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def main() -> None:
    resolv_conf, *command = sys.argv[1:]
    nameserver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    loopback = struct.pack("16sH14x", b"lo", 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(nameserver, SIOCGIFFLAGS, loopback))[1]
    fcntl.ioctl(nameserver, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    nameserver.bind(("127.0.0.1", 53))
    os.set_inheritable(nameserver.fileno(), True)
    with open(resolv_conf, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolv_conf, os.path.realpath("/etc/resolv.conf")], check=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
