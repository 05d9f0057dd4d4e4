"""Chromium as the board's tests use it: without a window, without a network of its own, with every message kept."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from servers.processes import ROOT, await_true

RESULTS = ROOT / "build" / "results" / "board"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--hide-scrollbars",
]
# Put in front of the page's own scripts: a clock that jumps.
LATER = """window.skewMs = 0;
const then = performance.now.bind(performance);
performance.now = () => then() + window.skewMs;"""
# And a tab that is hidden and shown by window.hide(), which counts what it asks for, and asks in vain while it is mute.
HIDDEN = """{
    window.isHidden = false;
    Object.defineProperty(document, "hidden", {get: () => window.isHidden});
    window.asked = 0;
    const ask = window.fetch;
    window.fetch = (...all) => { window.asked++; return window.isMute ? Promise.reject(new Error()) : ask(...all); };
    window.hide = (isHidden) => { window.isHidden = isHidden; document.dispatchEvent(new Event("visibilitychange")); };
}"""


class Browser:
    """One browser with a profile of its own. `lang` is the browser's language, `size` that of its window. Not
    `logged`: it keeps neither messages nor requests, which would grow with time."""

    def __init__(
        self,
        lang: str = "en-GB",
        size: tuple[int, int] = (1280, 900),
        flags: list[str] | None = None,
        logged: bool = True,
    ) -> None:
        self.profile = tempfile.mkdtemp(prefix="board-")
        options = Options()
        for flag in [
            *FLAGS,
            *(flags or []),
            f"--user-data-dir={self.profile}",
            f"--lang={lang}",
            f"--window-size={size[0]},{size[1]}",
        ]:
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": lang})
        if logged:
            options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(20)
        self.driver.set_script_timeout(60)

    def close(self) -> None:
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def evaluate(self, expression: str) -> Any:
        """As run(), but leaves nothing in the page: the driver keeps some bytes of each script that it runs there."""
        found = self.cdp("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """A fresh page without what an earlier one stored."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def before_load(self, script: str) -> str:
        """Runs a script in each page before the page's own; gives its name, for forget_before_load()."""
        return str(self.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"])

    def forget_before_load(self, name: str) -> None:
        self.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=name)

    def size(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def prefer(self, **features: str) -> None:
        """Media features: prefers_color_scheme="dark"."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.cdp("Emulation.setEmulatedMedia", features=given)

    @property
    def state(self) -> str:
        return str(self.run("return document.documentElement.dataset.state"))

    def await_state(self, *states: str, within_s: float = 10) -> str:
        return str(await_true(lambda: self.state in states and self.state, within_s, f"the state {states}"))

    def await_script(self, script: str, what: str, within_s: float = 10) -> Any:
        """Until the script gives something."""
        return await_true(lambda: self.run(script), within_s, what)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def titles(self) -> list[str]:
        return list(self.run("return [...document.querySelectorAll('#rows .title')].map(a => a.textContent)"))

    def console(self) -> list[str]:
        """Messages since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[dict[str, Any]]:
        """Requests since the last call: {url, headers}."""
        sent = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                sent.append({"url": request["url"] + request.get("urlFragment", ""), "headers": request["headers"]})
        return sent

    def shot(self, name: str) -> Path:
        RESULTS.mkdir(parents=True, exist_ok=True)
        place = RESULTS / f"{name}.png"
        self.await_script("return document.getAnimations().every((one) => one.playState !== 'running')", "rows at rest")
        self.driver.save_screenshot(str(place))
        return place
