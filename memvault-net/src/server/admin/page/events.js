// What happens, as it happens; the latest first.

const MOST_EVENTS = 200;
let lastEvent = 0;

const EVENTS = {
  up: ["busy", (it) => `${it.node} can be reached (${it.state})`],
  down: ["bad", (it) => `${it.node} is down (${it.reason}): other replicas take over`],
  ejected: ["bad", (it) => `${it.node} is silent and passed over`],
  flapping: ["bad", (it) => `${it.node} was passed over ${it.ejected} times more within ${it.seconds} s`],
  rejoined: ["good", (it) => `${it.node} is used again`],
  state: ["busy", (it) => `${it.node} is ${it.state}`],
  fetched: ["busy", (it) => `${it.node} has fetched ${it.percent} % of its keys (${it.entries} entries)`],
  failover: ["busy", (it) => `${it.operations} operations went on with another replica`],
  joined: ["good", (it) => `${it.node} is a member now`],
  left: ["busy", (it) => `${it.node} is no member any more`],
  members: ["busy", (it) => `member list ${it.epoch}${it.joining ? `, ${it.joining} is joining` : ""}${it.leaving ? `, ${it.leaving} is leaving` : ""}`],
  "degraded-writes": ["busy", () => "writes were acknowledged by fewer than a quorum"],
  "few-nodes": ["bad", (it) => `${it.live} members live, fewer than the ${it.replicas} replicas of a key`],
  "degraded-start": ["busy", () => "serves without having heard enough others: keys may be misses"],
  paused: ["bad", (it) => `this process stood still for ${it.millis} ms`],
};

// The values in a text such as `down node=a reason="it is"`.
function valuesIn(text) {
  const values = {};
  for (const [, name, quoted, plain] of text.matchAll(/([\w-]+)=(?:"([^"]*)"|(\S*))/g)) values[name] = quoted ?? plain;
  return values;
}

function wordsOf(event) {
  const [kind, say] = EVENTS[event.event] ?? ["busy", () => event.text.slice(event.event.length).trim()];
  const values = { ...valuesIn(event.text), ...(event.node ? { node: event.node } : {}) };
  const isServing = event.event === "state" && values.state === "serving";
  return { kind: isServing ? "good" : kind, text: say(values) };
}

const SYMBOLS = { good: "●", busy: "◐", bad: "✕" };

function addEvent(kind, name, millis, text, isNew, number = null) {
  const list = byId("events");
  const latest = list.firstChild;
  if (latest && latest.said === name + text) return repeat(latest, millis, number);
  const item = make("li", { class: isNew ? "new" : "", "data-number": number },
    make("time", { datetime: new Date(millis).toISOString() }, asClock(millis)),
    make("span", { class: `tag ${kind}` }, `${SYMBOLS[kind]} ${name}`),
    make("p", {}, text));
  item.said = name + text;
  item.times = 1;
  list.prepend(item);
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
  return undefined;
}

// The same once more: counted, not listed.
function repeat(item, millis, number) {
  item.times += 1;
  item.setAttribute("data-number", number);
  setText(item.querySelector("time"), asClock(millis));
  const count = item.querySelector("p .soft") ?? item.querySelector("p").appendChild(make("span", { class: "soft" }));
  setText(count, ` (${item.times} times)`);
}

// Takes over what was told and is new. The events of another process are numbered anew.
function addEvents(told, isFirst) {
  for (const event of told.events.filter(({ number }) => number > lastEvent)) {
    const { kind, text } = wordsOf(event);
    addEvent(kind, event.event, event.time_ms, text, !isFirst, event.number);
  }
  lastEvent = told.last;
}
