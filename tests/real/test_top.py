"""`memvault top` in a terminal: what is on its screen, which keys it takes, and how it leaves the terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import processes

LEAVES_SCREEN = b"\x1b[?1049l"
"""What a program sends that gives the terminal back."""


class Terminal:
    """A terminal of 80 by 24 in which a program runs."""

    def __init__(self, arguments):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)

    def wait_for(self, text):
        """Reads until `text` has come since the last call."""
        end = time.monotonic() + processes.DEADLINE
        seen = b""
        while text not in seen:
            if time.monotonic() > end:
                raise AssertionError(f"no {text!r} in {seen[:3000]!r}")
            if select.select([self.master], [], [], 1)[0]:
                seen += os.read(self.master, 1 << 16)

    def press(self, keys):
        os.write(self.master, keys)

    def wait(self):
        """The exit code."""
        return self.process.wait(processes.DEADLINE)

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Top(unittest.TestCase):
    """Against one server, which is enough for a screen. Only what differs from the screen before is sent, so words that
    stand where nothing was are waited for."""

    @classmethod
    def setUpClass(cls):
        cls.server = processes.start_serve()
        cls.addClassCleanup(cls.server.stop)

    def start(self, server=None):
        port = (server or self.server).port
        top = [processes.BINARY, "top", "--server", f"127.0.0.1:{port}", "--interval", "100ms"]
        terminal = Terminal(top)
        self.addCleanup(terminal.close)
        terminal.wait_for(b"127.0.0.1:%d" % port)
        return terminal

    def test_keys_change_what_is_shown_and_q_ends_it(self):
        terminal = self.start()
        self.assertFalse(terminal.is_as_before())
        terminal.press(b"?")
        terminal.wait_for(b"turn")
        terminal.press(b"?")
        terminal.press(b"q")
        terminal.wait_for(LEAVES_SCREEN)
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(terminal.is_as_before())

    def test_signals_and_interrupts_leave_the_terminal_as_it_was(self):
        for end in (
            lambda terminal: terminal.press(b"\x03"),
            lambda terminal: terminal.process.send_signal(signal.SIGTERM),
        ):
            terminal = self.start()
            end(terminal)
            terminal.wait_for(LEAVES_SCREEN)
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_as_before())

    def test_a_server_that_dies_is_an_event(self):
        server = processes.start_serve()
        self.addCleanup(server.stop)
        terminal = self.start(server)
        server.process.kill()
        terminal.wait_for(b"went")


if __name__ == "__main__":
    unittest.main()
