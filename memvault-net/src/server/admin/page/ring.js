// The ring as a circle: outside who leads which keys, inside each node's share of them.

const OUTER = [172, 194];
const INNER = [104, 160];
const MIDDLE = 200;

// The circle as the server told it, and what is drawn of it.
let circle = { epoch: undefined, nodes: [], leaders: [] };
let drawn = "";

const at = (fraction, radius) => {
  const angle = (fraction - 0.25) * 2 * Math.PI;
  return [MIDDLE + radius * Math.cos(angle), MIDDLE + radius * Math.sin(angle)];
};

const words2 = ([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`;

// A piece of a band between two radii, from one fraction of the circle to another.
function sector([from, to], [low, high]) {
  // A whole circle has no ends to draw an arc between.
  const end = Math.min(to, from + 0.99999);
  const large = end - from > 0.5 ? 1 : 0;
  return `M${words2(at(from, high))}A${high} ${high} 0 ${large} 1 ${words2(at(end, high))}` +
    `L${words2(at(end, low))}A${low} ${low} 0 ${large} 0 ${words2(at(from, low))}Z`;
}

// One path for each node: all the slots that it leads.
function pathsOf({ nodes, leaders }) {
  const paths = nodes.map(() => []);
  let start = 0;
  for (let part = 1; part <= leaders.length; part += 1) {
    if (part === leaders.length || leaders[part] !== leaders[start]) {
      paths[leaders[start]]?.push(sector([start / leaders.length, part / leaders.length], OUTER));
      start = part;
    }
  }
  return paths.map((parts) => parts.join(""));
}

function setCircle(told) {
  circle = { ...told, paths: pathsOf(told) };
  drawn = "";
}

// Stripes in the colour of a node, for one that does not serve.
const stripes = (place) =>
  draw("pattern", { id: `stripes-${place}`, class: colourOf(place), width: 7, height: 7, patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)" }, draw("rect", { width: 2.5, height: 7, fill: "currentColor" }));

// Draws the ring of a view; `found` is the place of a key, or null.
function paintRing(view, found) {
  const signs = view.nodes.map((node) => [node.node, node.health, node.leader_ratio.toFixed(4)]);
  const now = JSON.stringify([signs, circle.epoch, found, view.replicas]);
  if (now === drawn) return;
  drawn = now;
  const ranks = new Map((found?.nodes ?? []).map((node, rank) => [node, rank + 1]));
  const isOff = (id) => found && !ranks.has(id);
  const svg = draw("svg", { viewBox: "0 0 400 400", role: "img", "aria-label": ringWords(view, found) });
  svg.append(draw("defs", {}, ...view.nodes.map((_, place) => stripes(place))));
  view.nodes.forEach((node, place) => {
    const path = circle.paths?.[circle.nodes.indexOf(node.node)];
    if (path) {
      const state = node.health === "down" || isOff(node.node) ? "off" : "";
      svg.append(draw("path", { class: `arcs ${colourOf(place)} ${state}`, d: path, fill: "currentColor", "data-node": node.node }));
    }
  });
  svg.append(...shares(view, ranks, isOff), ...needle(found), ...middle(view, found));
  byId("ring").replaceChildren(svg);
}

function shares(view, ranks, isOff) {
  let start = 0;
  return view.nodes.map((node, place) => {
    const piece = [start, start + node.leader_ratio];
    start = piece[1];
    const isDown = node.health === "down";
    const isPlain = stateOf(node).kind === "good";
    const group = draw("g", { class: `node ${colourOf(place)} ${isOff(node.node) ? "off" : ""}`, "data-node": node.node });
    if (node.leader_ratio <= 0) return group;
    group.append(draw("path", { class: `share ${isDown ? "is-down" : ""}`, d: sector(piece, INNER),
      fill: isPlain ? "currentColor" : `url(#stripes-${place})` }));
    const rank = ranks.get(node.node);
    if (rank) group.append(draw("path", { class: "rank", d: sector(piece, [INNER[0] + 2, INNER[1] - 2]) }));
    group.append(...label(node, place, (piece[0] + piece[1]) / 2, rank));
    return group;
  });
}

// Number and state of a node, on its share; for a key also its place in the list.
function label(node, place, fraction, rank) {
  if (node.leader_ratio < 0.02) return [];
  const state = stateOf(node);
  const [x, y] = at(fraction, 132);
  const parts = [draw("circle", { class: "dot", cx: x, cy: y, r: 13 })];
  parts.push(draw("text", { class: "number", x, y }));
  parts[1].textContent = String(place + 1);
  if (state.kind !== "good") {
    // At the upper right of its number, as on a picture of somebody.
    parts.push(draw("circle", { class: `mark ${state.kind}`, cx: x + 12, cy: y - 12, r: 9 }));
    const sign = draw("text", { class: "sign", x: x + 12, y: y - 12 });
    sign.textContent = state.symbol;
    parts.push(sign);
  }
  if (rank) {
    const [innerX, innerY] = at(fraction, 84);
    const place = draw("text", { class: "place", x: innerX, y: innerY });
    place.textContent = ["1st", "2nd", "3rd"][rank - 1] ?? `${rank}th`;
    parts.push(place);
  }
  return parts;
}

function needle(found) {
  if (!found) return [];
  const position = (found.slot + 0.5) / circle.leaders.length;
  const [x1, y1] = at(position, 163);
  const [x2, y2] = at(position, 197);
  return [draw("line", { class: "needle", x1, y1, x2, y2 }), draw("circle", { class: "tip", cx: x1, cy: y1, r: 4 })];
}

function middle(view, found) {
  const lines = found
    ? [["middle", "key"], ["under", shorten(found.key, 18)]]
    : [["middle", `${view.nodes.length} node${view.nodes.length === 1 ? "" : "s"}`],
      ["under", view.replicas ? `each key on ${Math.min(view.replicas, view.nodes.length)}` : "no replicas"]];
  return lines.map(([name, words], line) => {
    const text = draw("text", { class: name, x: MIDDLE, y: MIDDLE - 10 + line * 24 });
    text.textContent = words;
    return text;
  });
}

const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function ringWords(view, found) {
  const nodes = view.nodes.map((node, place) =>
    `node ${place + 1}, ${node.node}, leads ${asPercent(node.leader_ratio)} and is ${stateOf(node).word}`);
  const key = found ? ` The key ${found.key} is on ${found.nodes.join(", then ")}.` : "";
  return `Ring of ${view.nodes.length} nodes: ${nodes.join("; ")}.${key}`;
}
