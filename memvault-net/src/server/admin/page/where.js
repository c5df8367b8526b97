// "Where is this key?"

// The place of the key that is looked for; null if there is none.
let found = null;
let wanted = "";

function startWhere(repaint) {
  byId("where").addEventListener("submit", async (event) => {
    event.preventDefault();
    wanted = byId("key").value;
    await find(repaint);
  });
  byId("where").addEventListener("reset", () => {
    wanted = "";
    found = null;
    setPlace([]);
    repaint();
    byId("key").focus();
  });
  byId("key").addEventListener("keydown", (event) => {
    if (event.key === "Escape") byId("where").reset();
  });
}

async function find(repaint) {
  if (wanted === "") return byId("where").reset();
  const asked = wanted;
  try {
    const place = await ask(`/api/where?key=${encodeURIComponent(asked)}`);
    // Somebody may have typed on.
    if (asked !== wanted) return undefined;
    found = place;
  } catch (error) {
    found = null;
    setPlace([`Nobody could be asked: ${error.message}`]);
  }
  repaint();
  return undefined;
}

function setPlace(parts) {
  byId("forget").disabled = wanted === "";
  byId("place").replaceChildren(...parts);
}

let placed = "";

function paintWhere(view) {
  if (!found) {
    placed = "";
    return;
  }
  const places = found.nodes.map((id) => view.nodes.findIndex((node) => node.node === id));
  const now = JSON.stringify([found, places.map((place) => view.nodes[place]?.health)]);
  // The region is read out whenever it changes.
  if (now === placed) return;
  placed = now;
  if (found.nodes.length === 0) {
    setPlace(["This node is alone: all keys are here."]);
    return;
  }
  const live = places.findIndex((place) => view.nodes[place] && view.nodes[place].health === "serving");
  const list = make("ol", { "aria-label": "Preference list" });
  found.nodes.forEach((id, rank) => {
    const node = view.nodes[places[rank]];
    const state = node ? stateOf(node) : { symbol: "?", word: "unknown", kind: "busy" };
    const role = rank === live ? ", serves it now" : "";
    list.append(make("li", {}, `${rank + 1}. `, ...(node ? [badge(places[rank]), " "] : []), make("strong", {}, id), " ",
      make("span", { class: state.kind }, `${state.symbol} ${state.word}${role}`)));
  });
  setPlace([make("p", {}, "The key ", make("code", {}, found.key), ` is in slot ${found.slot} and on these nodes, its leader first:`), list]);
}
