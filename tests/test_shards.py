"""nginx/shards.conf: two clusters that know nothing of each other behind one name."""

import http.client
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import quote

import pytest

from servers.processes import ROOT, await_true, end, free_port
from servers.stack import KEY, PATH, Stack, page

pytestmark = pytest.mark.once  # it is nginx that is tested here


class Front:
    """nginx with the example as it stands, but for addresses, ports and places."""

    def __init__(self, folder: Path, shards: list[Stack]) -> None:
        self.port = free_port()
        text = (ROOT / "nginx" / "shards.conf").read_text(encoding="utf-8")
        for number, shard in enumerate(shards, 1):
            text = re.sub(rf"server 10\.0\.{number}\.[12]:80", f"server 127.0.0.1:{shard.nginx.port}", text)
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.port};").replace("/var/log/nginx", str(folder))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temp = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
        conf = folder / "front.conf"
        head = f"daemon off; pid {folder}/front.pid;\nevents {{}}\n"
        conf.write_text(f"{head}http {{\n{temp}{text}}}\n", encoding="utf-8")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-e", str(folder / "front.log"), "-c", str(conf)])

    def ask(self, host: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"{PATH}?host={quote(host)}", headers={"X-CB-AK": KEY})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()


@pytest.fixture
def front(new_stack: Callable[..., Stack], folder: Path) -> Iterator[tuple[Front, list[Stack]]]:
    shards = [new_stack(), new_stack()]
    one = Front(folder, shards)
    await_true(lambda: one.ask("first.example") != 0, 10, "nginx in front")
    yield one, shards
    end(one.process)


def test_each_host_is_known_to_its_cluster_alone(front: tuple[Front, list[Any]]) -> None:
    one, shards = front
    hosts = ["news.example", "sport.example", "SPORT.example", "paper.example", "www.paper.example"]
    hosts.append("sport.example.org")
    for shard in shards:
        for host in hosts:
            shard.simulator.script(host.lower(), [page("/", 7)])
    assert {host: one.ask(host) for host in hosts} == {host: 200 for host in hosts}
    known = [{host for (host,) in shard.database.rows("select host from hosts")} for shard in shards]
    assert known[0] - {"first.example"} == {"news.example", "sport.example.org"}
    assert known[1] == {"sport.example", "paper.example", "www.paper.example"}
