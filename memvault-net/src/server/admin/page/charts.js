// What is kept of the last rounds, and the charts of it.

const rounds = [];
let charts = [];
// "" for the sum, "*" for each node, or the id of one.
let scope = "";

const KINDS = [
  { key: "operations", title: "Operations", words: asRate, of: (it) => it.recent?.operations_per_second ?? null,
    more: () => "reads answered and writes led" },
  { key: "hits", title: "Hit ratio", words: asPercent, ratio: true, bridge: true, of: (it) => it.recent?.hit_ratio ?? null,
    more: () => "of reads in the last second" },
  { key: "memory", title: "Memory", words: asBytes, base: 1024, of: (it) => it.told?.memory_used_bytes ?? null, more: memoryWords },
  { key: "evictions", title: "Evictions", words: asRate, of: (it) => it.recent?.evictions_per_second ?? null,
    more: (it) => `expirations ${asRate(it.recent?.expirations_per_second)}` },
  { key: "latency", title: "Latency p50 and p99", words: asTime, bridge: true, of: (it) => latencyOf(it.recent)?.p50_seconds ?? null,
    second: (it) => latencyOf(it.recent)?.p99_seconds ?? null, more: (it) => latencyOf(it.recent)?.whose ?? "nothing to measure" },
  { key: "keys", title: "Keys", words: asCount, of: (it) => it.told?.keys ?? null, more: () => "with every replica counted" },
];

function memoryWords(it) {
  const limit = it.told?.memory_limit_bytes;
  return limit ? `${asPercent((it.told.memory_used_bytes ?? 0) / limit)} of ${asBytes(limit)}` : "no limit (--max-memory)";
}

function startCharts() {
  charts = KINDS.map((kind) => new Chart(byId("charts"), kind));
  byId("scope").addEventListener("change", (event) => setScope(event.target.value));
}

function setScope(value) {
  scope = value;
  byId("scope").value = value;
  byId("legend").hidden = value !== "*";
  paintCharts();
}

// The sum, in the form that nodes have.
const sumOf = (view) => ({ told: view.total, recent: view.nodes.some((node) => node.recent) ? view.total : null });

// Takes over what was told in so many rounds; `null` if nobody answered.
function addRounds(view, count) {
  for (let round = 0; round < count; round += 1) rounds.push(view);
  rounds.splice(0, rounds.length - LENGTH);
  if (count === 0) return;
  if (view) offerScopes(view);
  paintCharts();
}

function offerScopes(view) {
  const select = byId("scope");
  const wanted = view.nodes.map((node) => node.node);
  const offered = [...select.options].slice(2).map((option) => option.value);
  if (wanted.join("\n") === offered.join("\n")) return;
  while (select.options.length > 2) select.remove(2);
  wanted.forEach((id, place) => select.append(make("option", { value: id }, `node ${place + 1}: ${id}`)));
  byId("legend").replaceChildren(...wanted.map((id, place) => make("span", {}, badge(place), ` ${id}`)));
  setScope(["", "*", ...wanted].includes(scope) ? scope : "");
}

// Values of LENGTH rounds, the newest last.
function valuesOf(of) {
  const values = rounds.map((view) => (view ? of(view) : null));
  return [...Array(LENGTH - values.length).fill(null), ...values];
}

const partOf = (id) => (view) => view.nodes.find((node) => node.node === id) ?? { told: null, recent: null };

function paintCharts() {
  const last = rounds.findLast((view) => view);
  if (!last) return;
  const isAll = scope === "" || scope === "*";
  const pick = isAll ? sumOf : partOf(scope);
  const place = last.nodes.findIndex((node) => node.node === scope);
  KINDS.forEach((kind, number) => {
    const item = pick(last);
    const first = kind.of(item);
    const now = kind.second ? pair(kind.words, first, kind.second(item)) : kind.words(first);
    const lines = scope === "*" ? linesOfNodes(kind, last) : linesOf(kind, pick, place < 0 ? "n0" : colourOf(place));
    charts[number].show(lines, now, kind.more(item));
  });
}

function linesOf(kind, pick, colour) {
  const line = (of, name) => ({ name, colour, values: valuesOf((view) => of(pick(view))) });
  if (!kind.second) return [{ ...line(kind.of, ""), area: true }];
  return [{ ...line(kind.of, "p50"), area: true }, { ...line(kind.second, "p99"), second: true }];
}

// One line for each node; where there are two of each, that of the slower.
function linesOfNodes(kind, last) {
  const of = kind.second ?? kind.of;
  return last.nodes.map((node, place) => ({
    name: `node ${place + 1}`,
    colour: colourOf(place),
    second: place % 2 === 1,
    values: valuesOf((view) => of(partOf(node.node)(view))),
  }));
}
