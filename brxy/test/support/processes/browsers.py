"""
Chromium, as tests use it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

__all__ = ["Browser", "needBrowser"]

_CHROMIUM, _DRIVER = "chromium", "chromedriver"


def needBrowser() -> None:
    """
    @raise SkipTest: there is no browser, or nothing that drives it.
    """
    for program in (_CHROMIUM, _DRIVER):
        if shutil.which(program) is None:
            raise SkipTest(f"needs {program}: apt install chromium chromium-driver")
    if find_spec("selenium") is None:
        raise SkipTest("needs selenium: pip install -e '.[test]'")


class Browser:
    """
    A browser without a screen.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *arguments: str) -> None:
        """
        @param folder: where its profile is.
        @param environ: the environment of its processes.
        @param arguments: further arguments of Chromium.
        """
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which(_CHROMIUM) or ""
        for each in (
            "--headless=new",
            # Root, as which tests run in containers, can't use Chromium's sandbox.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            *arguments,
        ):
            options.add_argument(each)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which(_DRIVER), env=dict(environ))
        # Much of selenium has no types.
        self._driver: Any = webdriver.Chrome(options=options, service=service)
        self.look(1360, 900)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """
        Have a screen of this size, light or dark.
        """
        screen = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 600,
        }
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, url: str) -> None:
        """
        Open a page.
        """
        self._driver.get(url)

    @property
    def url(self) -> str:
        """
        What is in the address bar.
        """
        url: str = self._driver.current_url
        return url

    def run(self, script: str, *arguments: Any) -> Any:
        """
        Run a function body in the page.

        @return: what it returns.
        """
        return self._driver.execute_script(script, *arguments)

    def runLater(self, script: str, *arguments: Any) -> Any:
        """
        Run a function body in the page, whose last argument is a function.

        @return: what it calls that with.
        """
        self._driver.set_script_timeout(60)
        return self._driver.execute_async_script(script, *arguments)

    def openTab(self, url: str) -> None:
        """
        Open a page in a tab of its own.
        """
        self._tab = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        self.open(url)

    def closeTab(self) -> None:
        """
        Go back from it.
        """
        self._driver.close()
        self._driver.switch_to.window(self._tab)

    def press(self, *keys: str) -> None:
        """
        Type keys, by the names of the DOM, such as C{Enter}.
        """
        from selenium.webdriver import ActionChains, Keys

        actions = ActionChains(self._driver)
        for each in keys:
            actions.send_keys(each if len(each) == 1 else getattr(Keys, each.upper()))
        actions.perform()

    def click(self, selector: str) -> None:
        """
        Click an element.
        """
        self._driver.find_element("css selector", selector).click()

    def complaints(self) -> list[str]:
        """
        @return: errors and warnings on the console since the last call.
        """
        log: list[Mapping[str, Any]] = self._driver.get_log("browser")
        return [each["message"] for each in log if each["level"] in ("SEVERE", "WARNING")]

    def picture(self, file: Path) -> None:
        """
        Save what is on the screen.
        """
        self._driver.save_screenshot(str(file))

    def quit(self) -> None:
        """
        End it.
        """
        self._driver.quit()
