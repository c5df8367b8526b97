"""The dashboard in a real browser, before a real cluster under load.

With MEMVAULT_SCREENSHOTS=DIRECTORY it also takes pictures: at three sizes, before, during and after the death of a node.
"""

import json
import math
import os
import random
import signal
import subprocess
import threading
import unittest

import browser
import processes

SCREENSHOTS = os.environ.get("MEMVAULT_SCREENSHOTS")
NODES = 5
# So slow that a warm-up can be seen, and so little memory that there are evictions in the end.
FLAGS = ["--max-memory=440kb", "--fetch-rate=60kb"]

# The contrast of each visible text with the nearest background that is not transparent, if it is too low.
CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const channels = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = ([r, g, b]) => [r, g, b].map((it) => it / 255)
  .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
  .reduce((sum, it, place) => sum + it * [0.2126, 0.7152, 0.0722][place], 0);
const background = (element) => {
  for (let it = element; it; it = it.parentElement) {
    const colour = channels(getComputedStyle(it).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255, 255];
};
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg, noscript, :disabled")) continue;
  const [text, back] = [channels(getComputedStyle(element).color), background(element)].map(luminance);
  const contrast = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  if (contrast < 4.5) low.push([walker.currentNode.data, contrast]);
}
return low;
"""


class Load:
    """Reads and writes through a gateway, until it is stopped; goes on when the gateway comes back."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        turn, chance = 0, random.Random(7)
        while not self.end.is_set():
            try:
                with self.gateway.connect() as connection, connection.makefile("rb") as replies:
                    while not self.end.wait(0.02):
                        turn += 1
                        self.send(connection, replies, chance, round(40 + 25 * math.sin(turn / 200)))
            except OSError:
                self.end.wait(0.1)

    @staticmethod
    def send(connection, replies, chance, count):
        """One pipeline of reads and writes: some keys are asked for much more often than others."""
        commands = []
        for _ in range(count):
            key = f"user:{int(chance.paretovariate(0.4)) % 20_000}"
            is_read = chance.random() < 0.8
            commands.append(f"GET {key}\r\n" if is_read else f"SET {key} {'v' * chance.randrange(20, 400)}\r\n")
        connection.sendall("".join(commands).encode())
        for command in commands:
            line = replies.readline()
            if not line:
                raise OSError("the gateway is gone")
            if line.startswith(b"$") and line != b"$-1\r\n":
                replies.read(int(line[1:]) + 2)

    def stop(self):
        """Ends it."""
        self.end.set()
        self.thread.join()


@unittest.skipIf(browser.MISSING, browser.MISSING or "")
class Dashboard(unittest.TestCase):
    """The page of a gateway before five members."""

    @classmethod
    def setUpClass(cls):
        *members, gateway = processes.free_ports(NODES + 1)
        flags = [[f"--admin=127.0.0.1:{port}", *FLAGS] for port in members]
        cls.cluster = processes.Cluster(NODES, [*flags, f"--admin=127.0.0.1:{gateway}"])
        cls.addClassCleanup(cls.cluster.stop)
        # As the cluster sorts them.
        cls.ids = sorted(f"127.0.0.1:{member.port}" for member in cls.cluster.members)
        cls.fill()
        cls.load = Load(cls.cluster.gateway)
        cls.addClassCleanup(cls.load.stop)
        cls.page = browser.Browser()
        cls.addClassCleanup(cls.page.stop)
        cls.url = f"http://127.0.0.1:{gateway}/"
        cls.member_url = f"http://127.0.0.1:{members[cls.place_of(cls.ids[0])]}/"

    @classmethod
    def fill(cls):
        """Writes enough to take some time when it has to be fetched again."""
        sets = [f"SET user:{number} {'v' * 200}\r\n" for number in range(2000)]
        replies = set()
        # Some members may still be starting, as others see them.
        while replies != {b"+OK\r\n"}:
            with cls.cluster.gateway.connect() as connection, connection.makefile("rb") as lines:
                connection.sendall("".join(sets).encode())
                replies = {lines.readline() for _ in sets}

    @classmethod
    def place_of(cls, node):
        """Where a member stands among the processes."""
        return [f"127.0.0.1:{member.port}" for member in cls.cluster.members].index(node)

    def setUp(self):
        self.page.resize(*browser.SIZES["desktop"])
        self.page.prefer("light")
        self.page.open(self.url)
        self.wait_for_all()

    def tearDown(self):
        # Nothing that the page did was refused, by the browser or by the server.
        self.assertEqual([entry for entry in self.page.log() if entry["level"] in ("SEVERE", "WARNING")], [])

    def wait_for_all(self):
        self.page.wait("all nodes are up", lambda: f"All {NODES} nodes up" in self.page.text("#verdict"))

    def state_of(self, node):
        return self.page.text(f'#nodes tr[data-node="{node}"] td:nth-child(2)')

    def preference_list(self, key):
        """What the command line says."""
        arguments = [processes.BINARY, "ring", "--cluster", ",".join(self.ids), "--timeout", "0s", "--json", "--key", key]
        done = subprocess.run(arguments, capture_output=True, check=True)
        return json.loads(done.stdout)["keys"][0]["preference_list"]

    def search(self, key):
        field = self.page.one("#key")
        field.clear()
        field.send_keys(key + "\n")
        self.page.wait("the key is found", lambda: self.page.text("#place code") == key)

    def test_the_ring_and_the_table_show_all_nodes(self):
        self.assertEqual(self.page.attributes("#ring g.node", "data-node"), self.ids)
        self.assertEqual(self.page.attributes("#ring path.arcs", "data-node"), self.ids)
        self.assertEqual(self.page.run("return document.querySelectorAll('#ring path.share').length"), NODES)
        numbers = [str(number + 1) for number in range(NODES)]
        self.assertEqual(self.page.run(
            "return [...document.querySelectorAll('#ring .number')].map((it) => it.textContent)"), numbers)
        self.assertEqual(self.page.texts("#nodes tbody button.name"), self.ids)
        self.assertIn("Gateway", self.page.text("#nodes tbody tr:last-child th"))
        words = self.page.attributes("#ring svg", "aria-label")[0]
        for node in self.ids:
            self.assertIn(f"{node}, leads ", words)

    def test_the_charts_move(self):
        def paths():
            return self.page.attributes("#charts article:first-child path.area", "d")
        self.page.wait("there are operations", lambda: "/s" in self.page.text("#charts article .now"))
        self.page.wait("there is a latency", lambda: "ms" in self.page.texts("#charts .now")[4])
        before = self.page.wait("a line is drawn", paths)
        self.page.wait("it moves", lambda: paths() != before)
        for title, now in zip(self.page.texts("#charts h3"), self.page.texts("#charts .now"), strict=True):
            self.assertNotIn("–", now, title)
        # One line for each node, and one node alone: in the list, and by its name in the table.
        self.page.run("const it = byId('scope'); it.value = '*'; it.dispatchEvent(new Event('change'))")
        self.assertEqual(len(self.page.all("#charts article:first-child path:not(.area)")), NODES)
        self.assertEqual(len(self.page.texts("#legend > span")), NODES)
        self.page.all("#nodes button.name")[2].click()
        self.assertEqual(self.page.one("#scope").get_property("value"), self.ids[2])
        self.assertIn("n2", self.page.one("#charts path.area").get_attribute("class"))

    def test_a_member_shows_the_same(self):
        self.page.open(self.member_url)
        self.wait_for_all()
        self.page.wait("all tell", lambda: "–" not in "".join(self.page.texts("#nodes tbody td:nth-child(4)")))
        self.assertIn("this port", self.page.texts("#nodes tbody th")[0])

    def test_a_key_is_found_on_its_nodes(self):
        for key in ["user:17", "ключ & 100%+?#", "<img src=x onerror=alert(1)>\"'"]:
            self.search(key)
            expected = self.preference_list(key)
            self.assertEqual(self.page.texts("#place li strong"), expected)
            chosen = self.page.attributes("#nodes tr.chosen", "data-node")
            self.assertEqual(sorted(chosen), sorted(expected))
            self.assertEqual(sorted(self.page.attributes("#ring g.node:not(.off)", "data-node")), sorted(expected))
            self.assertIn("1st, leader", self.state_of(expected[0]))
            self.assertEqual(self.page.all("#place img, #ring img"), [])
        self.page.one("#forget").click()
        self.assertEqual(self.page.text("#place"), "")
        self.assertEqual(self.page.all("#nodes tr.chosen, #ring .off"), [])

    def test_the_keyboard_is_enough(self):
        keys = browser.webdriver.Keys
        active = self.page.driver.switch_to
        order = []
        for _ in range(20):
            active.active_element.send_keys(keys.TAB)
            element = active.active_element
            order.append(element.get_attribute("id") or element.text or element.get_attribute("class"))
            self.assertNotEqual(element.value_of_css_property("outline-style"), "none", order)
            if order[-1] == "theme":
                themes = []
                for _ in range(3):
                    active.active_element.send_keys(keys.SPACE)
                    themes.append(self.page.run("return document.documentElement.dataset.theme ?? 'system'"))
                self.assertEqual(themes, ["light", "dark", "system"])
            if order[-1] == "key":
                active.active_element.send_keys("user:1", keys.ENTER)
                self.page.wait("the key is found", lambda: self.page.text("#place code") == "user:1")
            if order[-1] == self.ids[-1]:
                break
        self.assertEqual(order, ["Skip to the nodes", "theme", "scope", "key", order[4], "forget", "events", *self.ids])
        # The page goes on meanwhile, and leaves the focus where it is.
        rounds = self.page.run("return rounds.length")
        self.page.wait("some time passes", lambda: self.page.run("return rounds.length") > rounds)
        self.assertEqual(active.active_element.text, self.ids[-1])
        self.page.one("#key").send_keys(keys.ESCAPE)
        self.assertEqual(self.page.text("#place"), "")

    def test_a_death_and_a_return_are_seen(self):
        node = self.ids[1]
        self.kill(node)
        self.page.wait("it is down", lambda: "down" in self.state_of(node))
        self.assertIn(f"1 of {NODES} nodes down", self.page.text("#verdict"))
        self.assertEqual(self.page.attributes("#ring g.node:has(.is-down)", "data-node"), [node])
        self.page.wait("an event says so", lambda: f"{node} is down" in self.page.text("#events"))
        self.start(node)
        self.page.wait("it is warming", lambda: "warming" in self.state_of(node))
        self.page.wait("it is up", lambda: "up" in self.state_of(node))
        self.wait_for_all()
        for words in ["can be reached (warming)", "is used again", "is serving", "has fetched"]:
            self.page.wait(words, lambda words=words: f"{node} {words}" in self.page.text("#events"))
        # None is told twice.
        numbers = self.page.attributes("#events li", "data-number")
        self.assertEqual(len(numbers), len(set(numbers)))

    def kill(self, node):
        member = self.cluster.members[self.place_of(node)]
        os.kill(member.process.pid, signal.SIGKILL)
        member.stop()

    def start(self, node):
        place = self.place_of(node)
        old = self.cluster.members[place]
        self.cluster.members[place] = processes.Server(old.process.args, old.port)

    def test_the_page_tells_when_nobody_answers_and_recovers(self):
        gateway = self.cluster.gateway
        gateway.stop()
        self.page.wait("it is told", lambda: "No answer from this admin port" in self.page.text("#lost"))
        self.assertIn("no answer", self.page.text("#verdict"))
        restarted = processes.Server(gateway.process.args, gateway.port)
        self.cluster.gateway = self.load.gateway = restarted
        self.page.wait("it is back", lambda: not self.page.one("#lost").is_displayed())
        self.wait_for_all()
        self.page.wait("it is an event", lambda: "this admin port answers again" in self.page.text("#events"))
        # The browser notes that nobody answered; and nothing else.
        self.assertEqual([entry for entry in self.page.log() if "net::ERR_" not in entry["message"]], [])

    def test_nothing_is_wider_than_the_screen(self):
        self.search("k" * 200)
        for width in (320, 360, 390, 640, 820, 1000, 1101, 1280, 1920):
            self.page.resize(width, 800)
            self.assertEqual(self.page.run("return document.documentElement.scrollWidth"), width)

    def test_a_narrow_screen_cuts_nothing_and_shows_the_nodes_early(self):
        # Latencies as long as they get.
        self.page.run("""
            const now = document.querySelectorAll('#charts .now')[4];
            now.textContent = '999 µs / 99.9 ms';
        """)
        for width in (320, 390, 768, 1280):
            self.page.resize(width, 844)
            cut = self.page.run("""
                return [...document.querySelectorAll('.chart .now, .chart .more')].filter((it) => {
                  const card = it.closest('.chart').getBoundingClientRect();
                  const range = document.createRange();
                  range.selectNodeContents(it);
                  return range.getBoundingClientRect().right > card.right - 4
                    || it.scrollWidth > it.clientWidth || getComputedStyle(it).textOverflow === 'ellipsis';
                }).map((it) => it.innerText);
            """)
            self.assertEqual(cut, [], width)
            top = "return document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
            self.assertLess(self.page.run(top, "#nodes"), 1200, width)
            # The button stands beside the name, never alone in a row.
            self.assertLess(abs(self.page.run(top, "#theme") - self.page.run(top, "h1")), 30, width)

    def test_texts_have_contrast_in_both_themes(self):
        self.search("user:17")
        for scheme, is_dark in [("light", False), ("dark", True)]:
            self.page.prefer(scheme)
            red = self.page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
            self.assertEqual(int(red) < 100, is_dark)
            self.assertEqual(self.page.run(CONTRASTS), [])

    def pictures(self, name):
        """The page as it is, at all sizes; at the largest in the dark, too."""
        for size, (width, height) in browser.SIZES.items():
            for scheme in ("light", "dark"):
                self.page.prefer(scheme)
                self.page.resize(width, height)
                # As high as the page, so that nothing is cut off.
                self.page.resize(width, self.page.run("return document.documentElement.scrollHeight"))
                self.page.picture(os.path.join(SCREENSHOTS, f"{name}-{size}-{scheme}.png"))

    def take_pictures(self):
        """Before, during and after the death of a node."""
        os.makedirs(SCREENSHOTS, exist_ok=True)
        self.page.wait("the charts are filled", lambda: self.page.run("return rounds.length") >= 40)
        self.pictures("normal")
        self.search("user:17")
        leader = self.preference_list("user:17")[0]
        self.kill(leader)
        self.page.wait("it is down", lambda: "down" in self.state_of(leader))
        rounds = self.page.run("return rounds.length")
        self.page.wait("some time passes", lambda: self.page.run("return rounds.length") > rounds + 5)
        self.pictures("kill")
        self.start(leader)
        self.page.wait("it is warming", lambda: "warming" in self.state_of(leader))
        self.page.wait("it has fetched something", lambda: "has fetched" in self.page.text("#events"))
        self.pictures("warming")
        self.page.wait("it is up", lambda: "up" in self.state_of(leader))
        self.pictures("rejoined")

    if SCREENSHOTS:
        test_pictures = take_pictures


if __name__ == "__main__":
    unittest.main()
