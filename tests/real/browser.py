"""A headless Chromium with a page in it, driven by WebDriver."""

import base64
import os
import shutil

import processes

try:
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = None

try:
    from PIL import Image
except ImportError:
    Image = None

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

MISSING = (
    "selenium is not installed (PyPI)" if webdriver is None
    else "chromium and chromedriver are not installed" if not (CHROMIUM and DRIVER)
    else None)
"""Why there is no browser; None if there is one."""

SIZES = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}


class Browser:
    """One browser with one page."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                         "--no-first-run", "--lang=en-GB"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            # Its sandbox refuses to run as root, as in a container.
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.driver.set_script_timeout(processes.DEADLINE)
        self.resize(*SIZES["desktop"])

    def stop(self):
        """Ends the browser."""
        self.driver.quit()

    def open(self, url):
        """Loads a page."""
        self.driver.get(url)

    def resize(self, width, height):
        """Gives the page so many pixels; windows of a browser are never as narrow as a phone."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, scheme):
        """Has the system prefer `light` or `dark`."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def wait(self, what, is_so):
        """Waits until `is_so()` gives something that counts as true; returns that."""
        wait = WebDriverWait(self.driver, processes.DEADLINE, poll_frequency=0.1)
        try:
            return wait.until(lambda _: is_so())
        except TimeoutException as error:
            inside = self.run("return [rounds.length, view?.round, lostSince, document.visibilityState]")
            raise AssertionError(f"{what}: not so; {inside}; the page says: {self.text('body')[:3000]}") from error

    def run(self, script, *arguments):
        """The result of a script."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        """All elements that fit."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        """The first element that fits."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """The visible text of the first element that fits; read at once, as the page changes elements all the time."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        """The visible texts of all elements that fit."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((it) => it.innerText)", selector)

    def attributes(self, selector, name):
        """An attribute of all elements that fit."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map((it) => it.getAttribute(arguments[1]))",
            selector, name)

    def log(self):
        """What has been written to the console since the last time."""
        return self.driver.get_log("browser")

    def picture(self, path):
        """Writes the whole page as PNG; with a palette, which is a third of the size, where Pillow is installed."""
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
        if Image is not None:
            shrink(path)


def shrink(path):
    """Leaves a picture its 256 most frequent colours: large areas stay exactly as they are."""
    picture = Image.open(path).convert("RGB")
    colours = sorted(picture.getcolors(picture.width * picture.height), reverse=True)[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for _, colour in colours for channel in colour])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
