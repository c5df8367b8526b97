"""RESP by hand: raw bytes out, raw bytes in, so that nothing between hides a difference."""

import re
import socket

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def unescape(text):
    """The bytes that a text with `\\r`, `\\n`, `\\xNN` and the like stands for."""
    return text.encode().decode("unicode_escape").encode("latin-1")


def arguments(line):
    """Splits a line into arguments; double quotes hold spaces and escapes."""
    return [unescape(quoted) if word == "" else word.encode() for quoted, word in TOKEN.findall(line)]


def command(args):
    """A command as an array of bulk strings."""
    bulks = b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)
    return b"*%d\r\n%s" % (len(args), bulks)


class Connection:
    """One connection whose replies stay bytes."""

    def __init__(self, server):
        self.socket = server.connect()
        self.input = self.socket.makefile("rb")

    def ask(self, args):
        """Sends a command and returns the bytes of its reply; empty if the connection closed."""
        self.socket.sendall(command(args))
        return self.reply()

    def reply(self):
        """The bytes of one reply, RESP2 or RESP3."""
        line = self.input.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind in (b"$", b"=", b"!") and rest != b"-1":
            return line + self.input.read(int(rest) + 2)
        per_entry = {b"*": 1, b"~": 1, b">": 1, b"%": 2}.get(kind, 0)
        parts = per_entry * max(0, int(rest)) if per_entry else 0
        return line + b"".join(self.reply() for _ in range(parts))

    def exchange(self, data):
        """Sends bytes and the end of the stream, and returns everything that comes back."""
        try:
            self.socket.sendall(data)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Closed by the server already: what it said before still counts.
        try:
            return self.input.read()
        except ConnectionResetError:
            return b"(reset)"

    def close(self):
        """Closes it."""
        self.input.close()
        self.socket.close()
