// Asks the admin port once a second, and paints what it tells.

const EVERY = 1000;
const TIMEOUT = 4000;

let view = null;
let lostSince = null;

// The document under a path of this server.
async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
  if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).trim()}`);
  return response.json();
}

function paint() {
  if (!view) return;
  paintHead();
  paintRing(view, found);
  paintNodes(view, found);
  paintWhere(view);
}

function paintHead() {
  const name = view.node ? ` ${view.node}` : "";
  const who = view.role === "alone" ? "a node alone" : `${view.role}${name}`;
  setText(byId("teller"), `as told by ${who}, ${view.ready ? "ready" : `not ready: ${view.state}`}; version ${view.version}`);
  const verdict = verdictOf(view);
  setText(byId("verdict"), verdict.text);
  setClass(byId("verdict"), `pill ${verdict.kind}`);
  setText(document.querySelector("title"), `${verdict.text.split(";")[0]} – MemVault`);
}

// The server answers: says so, if it did not before.
function regain() {
  if (lostSince === null) return;
  lostSince = null;
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
  addEvent("good", "answers", Date.now(), "this admin port answers again", true);
}

function lose(error) {
  if (lostSince === null) {
    lostSince = Date.now();
    byId("lost").hidden = false;
    document.body.classList.add("stale");
    setText(byId("verdict"), "? Not known: no answer");
    setClass(byId("verdict"), "pill bad");
    setText(document.querySelector("title"), "? No answer – MemVault");
  }
  const since = `No answer from this admin port since ${asClock(lostSince)}`;
  setText(byId("lost"), `${since} (${error.message}). What stands here is old; trying again every second.`);
  addRounds(null, 1);
}

async function turn() {
  const next = await ask("/api/cluster");
  const isSame = view !== null && next.started_ms === view.started_ms;
  // A page of another release may not understand this one.
  if (view && next.version !== view.version) return location.reload();
  const isFirst = view === null;
  // Those that were missed are taken to be like this one, so that the time of a chart stays true.
  const newRounds = isSame ? Math.min(Math.max(next.round - view.round, next.round === view.round ? 0 : 1), LENGTH) : 1;
  if (!isSame) lastEvent = 0;
  if (!isSame || next.epoch !== circle.epoch) {
    setCircle(await ask("/api/ring"));
    if (wanted !== "") await find(() => {});
  }
  addEvents(await ask(`/api/events?since=${lastEvent}`), isFirst);
  view = next;
  regain();
  paint();
  addRounds(view, newRounds);
  return undefined;
}

const pause = (millis) => new Promise((done) => setTimeout(done, millis));

// While nobody sees the page, nobody is asked.
async function seen() {
  while (document.visibilityState !== "visible") {
    const shown = new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    await Promise.race([shown, pause(EVERY)]);
  }
}

// What takes longer than any answer may take is given up, whatever it waits for.
const within = (millis, work) =>
  Promise.race([work, pause(millis).then(() => { throw new Error(`nothing within ${millis / 1000} s`); })]);

async function run() {
  startTheme();
  startCharts();
  startNodes();
  startWhere(paint);
  for (;;) {
    await seen();
    const due = pause(EVERY);
    try {
      await within(2 * TIMEOUT, turn());
    } catch (error) {
      lose(error);
    }
    await due;
  }
}

run();
