// Numbers and states in words.

const NOTHING = "–";

const digits = (value) => {
  const places = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(places);
};

function scaled(value, base, units) {
  let power = 0;
  while (value >= base * 0.9995 && power < units.length - 1) {
    value /= base;
    power += 1;
  }
  return `${digits(value)}${units[power]}`;
}

const optional = (words) => (value) =>
  value === null || value === undefined ? NOTHING : words(value);

const asCount = optional((value) => scaled(value, 1000, ["", " k", " M", " G", " T"]));
const asRate = optional((value) => `${asCount(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))}/s`);
const asBytes = optional((value) => scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]));
const asPercent = optional((value) => {
  const percent = value * 100;
  if (percent === 0 || percent >= 100) return `${Math.round(percent)} %`;
  // What is nearly all is not told to be all.
  return `${percent > 99 ? (Math.floor(percent * 100) / 100).toFixed(2) : percent.toFixed(1)} %`;
});
const asTime = optional((seconds) =>
  seconds < 1e-3 ? `${Math.round(seconds * 1e6)} µs`
    : seconds < 1 ? `${digits(seconds * 1e3)} ms`
      : `${digits(seconds)} s`);

const asAge = optional((seconds) => {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
});

const asClock = (millis) =>
  new Date(millis).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

// A symbol, a word and a kind for the state of a node.
function stateOf(node) {
  const fetched = node.fetched_ratio === null || node.fetched_ratio === undefined
    ? "" : ` ${Math.floor(node.fetched_ratio * 100)} %`;
  switch (node.health) {
    case "serving":
      return node.fetched_ratio ?? null
        ? { symbol: "◐", word: `taking over keys${fetched}`, kind: "busy" }
        : { symbol: "●", word: "up", kind: "good" };
    case "warming": return { symbol: "◐", word: `warming${fetched}`, kind: "busy" };
    case "catching-up": return { symbol: "◐", word: "catching up", kind: "busy" };
    case "leaving": return { symbol: "◇", word: "leaving", kind: "busy" };
    case "suspected": return { symbol: "▲", word: "suspected", kind: "busy" };
    case "down": return { symbol: "✕", word: "down", kind: "bad" };
    default: return { symbol: "?", word: String(node.health), kind: "busy" };
  }
}

// The latency that tells most: of clients where there are any, else of answers to others.
function latencyOf(recent) {
  if (!recent) return null;
  if (recent.client_latency.samples > 0) return { ...recent.client_latency, whose: "requests of clients" };
  if (recent.answer_latency.samples > 0) return { ...recent.answer_latency, whose: "answers of nodes" };
  return null;
}

// Two values in one breath: the unit only once if it is the same.
function pair(words, first, second) {
  const [a, b] = [words(first), words(second)];
  const unit = / \D+$/.exec(b)?.[0];
  return unit && a.endsWith(unit) ? `${a.slice(0, -unit.length)} / ${b}` : `${a} / ${b}`;
}

// The kind of the whole cluster, and a sentence about it.
function verdictOf(view) {
  const count = view.nodes.length;
  const words = view.nodes.map((node) => stateOf(node));
  const down = view.nodes.filter((node) => node.health === "down").length;
  if (count === 1 && view.role === "alone") return { kind: "good", text: "● This node serves, alone" };
  if (down > 0) {
    const lost = view.replicas && down >= Math.min(view.replicas, count);
    const rest = lost ? "some keys may be out of reach" : "every key has a replica that is up";
    return { kind: "bad", text: `✕ ${down} of ${count} nodes down; ${rest}` };
  }
  const busy = words.filter((word) => word.kind !== "good");
  if (busy.length > 0) return { kind: "busy", text: `${busy[0].symbol} ${busy.length} of ${count} nodes: ${busy[0].word}` };
  if (view.change) return { kind: "busy", text: `◇ members change: ${view.change}` };
  return { kind: "good", text: `● All ${count} nodes up` };
}
