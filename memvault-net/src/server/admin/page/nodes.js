// The table: one row for each node, one for a gateway, and their sum.

const COLUMNS = [
  { title: "State", cell: (row) => stateCell(row) },
  { title: "Leads / holds", cell: ({ item }) => (item.leader_ratio === undefined ? [NOTHING]
    : [asPercent(item.leader_ratio), soft(`holds ${asPercent(item.replica_ratio)}`)]) },
  { title: "Operations", cell: ({ item }) => [asRate(item.recent?.operations_per_second)] },
  { title: "Hit ratio", cell: ({ item }) => [asPercent(item.recent?.hit_ratio)] },
  { title: "Memory", cell: ({ item }) => memoryCell(item) },
  { title: "Evictions", cell: ({ item }) => [asRate(item.recent?.evictions_per_second)] },
  { title: "Keys", cell: ({ item }) => [asCount(item.told?.keys)] },
  { title: "Clients wait (p50)", cell: ({ item }) => latencyCell(item.recent?.client_latency) },
  { title: "Answers take (p50)", cell: ({ item }) => latencyCell(item.recent?.answer_latency) },
  { title: "Clients", cell: ({ item }) => [asCount(item.told?.clients)] },
  { title: "Uptime", cell: ({ item }) => [asAge(item.told?.uptime_seconds)] },
];

const soft = (text) => make("span", { class: "soft" }, text);

// Rows by the id of their node, so that they are changed and not made anew: focus stays where it is.
const rows = new Map();

function startNodes() {
  const heads = ["Node", ...COLUMNS.map((column) => column.title)];
  const head = make("tr", { role: "row" });
  head.append(...heads.map((title) => make("th", { scope: "col", role: "columnheader" }, title)));
  document.querySelector("#nodes thead").append(head);
}

function stateCell({ item, ranks }) {
  const parts = [];
  if (item.health) {
    const { symbol, word, kind } = stateOf(item);
    parts.push(make("span", { class: `tag ${kind}` }, `${symbol} ${word}`));
  }
  const rank = ranks.get(item.node);
  if (rank) parts.push(make("span", { class: "order" }, rank === 1 ? "1st, leader" : `${["", "", "2nd", "3rd"][rank] ?? `${rank}th`}`));
  if (!item.health && item.state) parts.push(make("span", { class: `tag ${item.ready ? "good" : "busy"}` }, item.ready ? "● ready" : `◐ ${item.state}`));
  const why = item.health === "down" ? item.last_failure : item.problem;
  if (why) parts.push(soft(why));
  return parts;
}

function memoryCell(item) {
  const { memory_used_bytes: used, memory_limit_bytes: limit } = item.told ?? {};
  if (used === undefined) return [NOTHING];
  if (!limit) return [asBytes(used)];
  return [asBytes(used), soft(`${asPercent(used / limit)} of ${asBytes(limit)}`)];
}

function latencyCell(latency) {
  if (!latency || latency.samples === 0) return [NOTHING];
  return [asTime(latency.p50_seconds), soft(`p99 ${asTime(latency.p99_seconds)}`)];
}

function paintNodes(view, found) {
  const ranks = new Map((found?.nodes ?? []).map((node, rank) => [node, rank + 1]));
  const body = document.querySelector("#nodes tbody");
  const wanted = view.nodes.map((item, place) => ({ id: `node ${item.node}`, item, place, ranks }));
  if (view.gateway) wanted.push({ id: "gateway", item: gatewayItem(view), place: null, ranks });
  for (const [id, row] of rows) {
    if (!wanted.some((one) => one.id === id)) {
      row.remove();
      rows.delete(id);
    }
  }
  wanted.forEach((one, place) => {
    const row = rows.get(one.id) ?? newRow(one);
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
    row.classList.toggle("chosen", ranks.has(one.item.node));
    paintCells(row, one);
  });
  paintSum(view);
}

// A gateway keeps nothing, and answers nobody but its clients.
function gatewayItem({ gateway, node, ready, state }) {
  const { uptime_seconds, clients } = gateway.told ?? {};
  const recent = gateway.recent ? { ...gateway.recent, evictions_per_second: null, answer_latency: null } : null;
  return { node, ready, state, problem: gateway.problem, told: gateway.told ? { uptime_seconds, clients } : null, recent };
}

function newRow({ id, item, place }) {
  const name = make("th", { scope: "row", role: "rowheader" });
  if (place === null) {
    name.append("Gateway ", soft(`${item.node ?? ""} (this port)`));
  } else {
    const button = make("button", { class: "name", type: "button", title: "Show this node alone in the charts, or all again" }, item.node);
    button.addEventListener("click", () => setScope(scope === item.node ? "" : item.node));
    name.append(badge(place), " ", button);
    if (item.address && item.address !== item.node) name.append(soft(` ${item.address}`));
    if (item.is_here) name.append(soft(" (this port)"));
  }
  const row = make("tr", { role: "row", "data-node": place === null ? "" : item.node }, name);
  row.append(...COLUMNS.map((column) => make("td", { role: "cell", "data-label": column.title })));
  rows.set(id, row);
  return row;
}

function paintCells(row, one) {
  COLUMNS.forEach((column, number) => {
    const parts = column.cell(one);
    const cell = row.children[number + 1];
    const words = parts.map((part) => (typeof part === "string" ? part : part.outerHTML)).join("");
    if (cell.painted === words) return;
    cell.painted = words;
    cell.classList.toggle("empty", words === "" || words === NOTHING);
    cell.replaceChildren(...parts);
  });
}

function paintSum(view) {
  const foot = document.querySelector("#nodes tfoot");
  if (!foot.firstChild) {
    const row = make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, "All nodes"));
    row.append(...COLUMNS.map((column) => make("td", { role: "cell", "data-label": column.title })));
    foot.append(row);
  }
  paintCells(foot.firstChild, { item: sumOf(view), ranks: new Map() });
}
