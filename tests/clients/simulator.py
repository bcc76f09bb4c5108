"""The simulator as a program of its own: started for a job, asked for its addresses, stopped at the end."""

import json
import pathlib
import signal
import subprocess
import tempfile


class Simulator:
    """`lifeboat sim` on free ports. Use it with `with`; everything it writes goes away at the end."""

    def __init__(self, binary: str, scenario: pathlib.Path, speed: int):
        self._home = tempfile.TemporaryDirectory(prefix="lifeboat-clients-")
        home = pathlib.Path(self._home.name)
        self.request_log = home / "requests.jsonl"
        site = home / "site.yaml"
        command = [binary, "sim", "--scenario", str(scenario), "--speed", str(speed)]
        command += ["--site-out", str(site), "--request-log", str(self.request_log)]
        self._story = open(home / "story", "w+", encoding="utf-8")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._story, text=True)
        # It prints the path of the site file once everything listens.
        if not self._process.stdout.readline().strip():
            self._story.seek(0)
            raise RuntimeError(f"the simulator did not start:\n{self._story.read()}")
        # Every value of the site file is on the line of its key, as JSON.
        self.site = {}
        for line in site.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(": ")
            self.site[key] = json.loads(value)
        self.url = self.site["endpoints"]["authority"]
        self.ca_file = self.site["tls"]["ca_file"]
        self.parameters = self.site["parameters"]

    def __enter__(self) -> "Simulator":
        return self

    def __exit__(self, *_exception) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        finally:
            self._process.kill()
            self._story.close()
            self._home.cleanup()

    def requests(self) -> list[dict]:
        """Every request so far, oldest first: `method`, `url`, `status`."""
        return [json.loads(line) for line in self.request_log.read_text(encoding="utf-8").splitlines()]

    def count(self, method: str, part: str, status: int | None = None) -> int:
        """How many requests of this method have `part` in their URL, and this status if one is named."""
        fits = [
            request for request in self.requests() if request["method"] == method and part in request["url"].lower()
        ]
        return len([request for request in fits if status is None or request["status"] == status])
