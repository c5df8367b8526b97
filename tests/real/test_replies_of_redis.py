"""The same bytes to MemVault and to a real redis-server: the same bytes have to come back.

`requests.txt` holds the requests and the few differences, each with its reason. After it, random commands
from fixed seeds go to both.
"""

import os
import random
import re
import unittest

import processes
import wire

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "requests.txt")
SEEDS = range(20)
NOT_IN_A_CLUSTER = {
    b"DBSIZE": "is the sum of what the members hold, of whom one may not know of the last write yet",
    b"CONFIG": "the limits of the members are not those of the node that is asked",
}
"""Commands that a cluster answers otherwise, and why."""


class Case:
    """One request of the table."""

    def __init__(self, line, number):
        self.line = line
        self.number = number
        self.differs = None
        self.why = None


def sections():
    """The table: pairs of a section's name and its cases."""
    found = []
    with open(TABLE, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "==":
                found.append((rest, []))
            elif word == "differs":
                found[-1][1][-1].differs = rest
            elif word == "why":
                found[-1][1][-1].why = rest
            elif line.strip() and word != "#" and not line.startswith("#"):
                found[-1][1].append(Case(line.rstrip("\n"), number))
    return found


def nearly_same(a, b):
    """Whether two replies are the same but for integers that differ by at most 2000."""
    numbers = re.compile(rb"-?[0-9]+")
    if numbers.sub(b"#", a) != numbers.sub(b"#", b):
        return False
    pairs = zip(numbers.findall(a), numbers.findall(b))
    return all(abs(int(x) - int(y)) <= 2000 for x, y in pairs)


@unittest.skipUnless(processes.have("redis-server"), "redis-server is not installed")
class RepliesOfRedis(unittest.TestCase):
    """Both servers run for all tests; each test begins with empty ones."""

    left_out = {}

    @classmethod
    def setUpClass(cls):
        cls.redis = processes.start_redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.ours = cls.start_ours()
        cls.addClassCleanup(cls.ours.stop)

    @classmethod
    def start_ours(cls):
        return processes.start_serve()

    def connect_both(self):
        both = []
        for server in (self.redis, self.ours):
            connection = wire.Connection(server)
            self.addCleanup(connection.close)
            self.assertEqual(connection.ask([b"FLUSHALL"]), b"+OK\r\n")
            both.append(connection)
        return both

    def answers(self, both, line):
        """What redis-server and what MemVault say."""
        if line.startswith("raw "):
            [data] = wire.arguments(line[4:])
            fresh = [wire.Connection(server) for server in (self.redis, self.ours)]
            replies = [connection.exchange(data) for connection in fresh]
            for connection in fresh:
                connection.close()
            return replies
        args = wire.arguments(line.removeprefix("about "))
        return [connection.ask(args) for connection in both]

    def check(self, case, redis, ours):
        if case.differs is not None:
            self.assertTrue(case.why, "a difference without a reason")
            self.assertNotEqual(redis, ours, "no difference any more: remove it from the table")
            self.assertRegex(ours, re.compile(rb"\A" + case.differs.encode() + rb"\Z"))
        elif case.line.startswith("about "):
            self.assertTrue(nearly_same(redis, ours), f"redis {redis!r}, MemVault {ours!r}")
        else:
            self.assertEqual(redis, ours, f"\n  redis    {redis!r}\n  MemVault {ours!r}")

    def test_every_request_of_the_table(self):
        count = 0
        for name, cases in sections():
            both = self.connect_both()
            for case in cases:
                if not case.line.startswith("raw ") and wire.arguments(case.line)[0].upper() in self.left_out:
                    continue
                with self.subTest(section=name, line=case.number, request=case.line):
                    count += 1
                    self.check(case, *self.answers(both, case.line))
        self.assertGreater(count, 300, "the table has shrunk")

    def test_random_commands(self):
        for seed in SEEDS:
            both = self.connect_both()
            chance = random.Random(seed)
            history = []
            for _ in range(300):
                args = random_command(chance)
                if args[0] in self.left_out:
                    continue
                history.append(b" ".join(args).decode())
                redis, ours = (connection.ask(args) for connection in both)
                if not nearly_same(redis, ours):
                    self.fail(f"seed {seed}, after {history[-8:]}:\n  redis    {redis!r}\n  MemVault {ours!r}")


class RepliesThroughAGateway(RepliesOfRedis):
    """The same through a gateway: a cluster of three members answers as one redis-server does."""

    left_out = NOT_IN_A_CLUSTER

    @classmethod
    def start_ours(cls):
        cluster = processes.Cluster(3)
        cls.addClassCleanup(cluster.stop_members)
        return cluster.gateway


def random_command(chance):
    """A command on few keys, now and then with options that make no sense together."""
    def key():
        return chance.choice([b"a", b"b", b"c", b"d", b""])

    def keys():
        return [key() for _ in range(chance.randint(0, 4))]

    def number():
        return chance.choice([b"100000", b"200000", b"-1", b"0", b"x", b"300000"])

    def set_options():
        choices = [[b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"EX", number()], [b"PX", number()], [b"EX"]]
        return sum(chance.sample(choices, chance.choice([0, 0, 1, 1, 2])), [])

    def expire_options():
        return chance.sample([b"NX", b"XX", b"GT", b"LT"], chance.choice([0, 0, 1, 2]))

    def offset():
        return chance.choice([b"0", b"1", b"3", b"-1", b"-3", b"99", b"-99", b"x"])

    def fraction():
        return chance.choice([b"0.1", b"-2.5e3", b"1e17", b"7", b"x", b"3.00000000000000000007"])

    value = chance.choice([b"", b"x", b"y", b"long value", b"7"])
    return chance.choice([
        lambda: [b"GET", key()],
        lambda: [b"SET", key(), value, *set_options()],
        lambda: [b"SET", key(), value, *set_options()],
        lambda: [b"DEL", *keys()],
        lambda: [b"UNLINK", *keys()],
        lambda: [b"EXISTS", *keys()],
        lambda: [b"MGET", *keys()],
        lambda: [b"MSET", *sum(([k, value] for k in keys()), [])],
        lambda: [chance.choice([b"TTL", b"PTTL", b"TYPE"]), key()],
        lambda: [chance.choice([b"EXPIRE", b"PEXPIRE"]), key(), number(), *expire_options()],
        lambda: [b"PERSIST", key()],
        lambda: [b"DBSIZE"],
        lambda: [chance.choice([b"SETNX", b"GETSET"]), key(), value],
        lambda: [chance.choice([b"SETEX", b"PSETEX"]), key(), number(), value],
        lambda: [chance.choice([b"GETDEL", b"STRLEN", b"EXPIRETIME", b"PEXPIRETIME"]), key()],
        lambda: [chance.choice([b"INCR", b"DECR"]), key()],
        lambda: [chance.choice([b"INCRBY", b"DECRBY"]), key(), number()],
        lambda: [b"INCRBYFLOAT", key(), fraction()],
        lambda: [b"APPEND", key(), value],
        lambda: [b"SETRANGE", key(), chance.choice([b"0", b"1", b"7", b"-1", b"x"]), value],
        lambda: [chance.choice([b"GETRANGE", b"SUBSTR"]), key(), offset(), offset()],
        lambda: [b"GETEX", key(), *chance.choice([[], [b"PERSIST"], [b"EX", b"100000"], [b"PX", b"300000"]])],
        lambda: [b"EXPIREAT", key(), chance.choice([b"1", b"33177117420", b"33177117421"]), *expire_options()],
    ])()


if __name__ == "__main__":
    unittest.main(verbosity=2)
