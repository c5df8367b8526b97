"""`memvault shell` in a terminal: two of them keep one history, and bytes that are no text end neither."""

import os
import subprocess
import tempfile
import unittest

import processes
from test_top import Terminal


class Shell(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = processes.start_serve()
        cls.addClassCleanup(cls.server.stop)

    def start(self, history):
        os.environ["MEMVAULT_HISTORY"] = history
        self.addCleanup(os.environ.pop, "MEMVAULT_HISTORY", None)
        server = f"127.0.0.1:{self.server.port}"
        terminal = Terminal([processes.BINARY, "shell", "--server", server])
        self.addCleanup(terminal.close)
        terminal.wait_for(b"> ")
        return terminal

    def test_two_shells_do_not_overwrite_each_others_history(self):
        with tempfile.TemporaryDirectory() as folder:
            history = os.path.join(folder, "history")
            one, other = self.start(history), self.start(history)
            one.press(b"ECHO from-one\r")
            one.wait_for(b"\"from-one\"")
            other.press(b"ECHO from-other\r")
            other.wait_for(b"\"from-other\"")
            for terminal in (other, one):
                terminal.press(b"exit\r")
                self.assertEqual(terminal.wait(), 0)
            with open(history, encoding="utf-8") as file:
                lines = file.read().splitlines()
            for line in ("ECHO from-one", "ECHO from-other"):
                self.assertIn(line, lines)

    def test_a_line_that_is_no_text_is_dropped_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            terminal = self.start(os.path.join(folder, "history"))
            terminal.press(b"SET a \xff FLUSHALL\r")
            terminal.wait_for(b"not UTF-8")
            terminal.press(b"SET b \"\\xff\"\r")
            terminal.wait_for(b"OK")
            terminal.press(b"DBSIZE\r")
            terminal.wait_for(b"(integer) 1")
            terminal.press(b"exit\r")
            self.assertEqual(terminal.wait(), 0)
        get = [processes.BINARY, "get", "b", "--server", f"127.0.0.1:{self.server.port}"]
        self.assertEqual(subprocess.run(get, capture_output=True, check=True).stdout, b"\xff\n")


if __name__ == "__main__":
    unittest.main()
