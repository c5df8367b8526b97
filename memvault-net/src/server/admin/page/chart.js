// One moving chart: lines over the last rounds, newest at the right.

const LENGTH = 120;
const WIDTH = 300;
const HEIGHT = 80;
// Values that are missing for so many rounds are bridged, where a chart says so.
const BRIDGE = 10;

class Chart {
  // `words` says a value; `ratio` is for values from 0 to 1; `bridge` for those that are measured now and then; `base` is
  // what units are multiples of.
  constructor(parent, { title, words, ratio = false, bridge = false, base = 1000 }) {
    this.title = title;
    this.words = words;
    this.ratio = ratio;
    this.bridge = bridge;
    this.base = base;
    this.now = make("p", { class: "now" }, NOTHING);
    this.more = make("p", { class: "more" });
    this.most = make("span", { class: "most", "aria-hidden": "true" });
    this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.lines = [];
    this.cursor = null;
    const times = make("div", { class: "times", "aria-hidden": "true" },
      make("span", {}, "−2 min"), make("span", {}, "now"));
    this.plot = make("div", { class: "plot" }, this.svg, this.most);
    parent.append(make("article", { class: "card chart" }, make("h3", {}, title), this.now, this.more, this.plot, times));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => {
      this.cursor = null;
      this.paint();
    });
  }

  // Shows `lines`: each has a name, values of LENGTH rounds (null where there is none), and a class; `now` and `more`
  // are what stands above.
  show(lines, now, more) {
    this.lines = lines;
    this.texts = { now, more };
    this.paint();
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    const place = Math.round(((event.clientX - box.left) / box.width) * (LENGTH - 1));
    this.cursor = Math.min(Math.max(place, 0), LENGTH - 1);
    this.paint();
  }

  paint() {
    if (!this.texts) return;
    const top = this.ratio ? 1 : ceiling(Math.max(0, ...this.lines.flatMap((line) => line.values)), this.base);
    const shapes = [
      draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2 }),
      draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: 2, y2: 2 }),
    ];
    for (const line of this.lines) {
      const parts = this.parts(line.values, top);
      if (line.area) shapes.push(draw("path", { class: `area ${line.colour}`, d: parts.map(areaUnder).join("") }));
      shapes.push(draw("path", { class: `${line.colour} ${line.second ? "second" : ""}`, d: parts.map(along).join("") }));
    }
    if (this.cursor !== null) {
      const x = xOf(this.cursor);
      shapes.push(draw("line", { class: "cursor", x1: x, x2: x, y1: 0, y2: HEIGHT }));
    }
    this.svg.replaceChildren(...shapes);
    setText(this.most, this.words(top));
    setText(this.now, this.texts.now);
    setText(this.more, this.cursor === null ? this.texts.more : this.readout());
    this.svg.setAttribute("aria-label", `${this.title}: now ${this.texts.now}; the scale ends at ${this.words(top)}`);
  }

  readout() {
    const values = this.lines.map((line) => `${line.name} ${this.words(line.values[this.cursor])}`);
    return `${LENGTH - 1 - this.cursor} s ago: ${values.join(", ")}`;
  }

  // The points of the line, cut where values are missing.
  parts(values, top) {
    const parts = [];
    let last = -Infinity;
    values.forEach((value, place) => {
      if (value === null) return;
      if (place - last > (this.bridge ? BRIDGE : 1)) parts.push([]);
      parts[parts.length - 1].push([xOf(place), HEIGHT - 1 - (HEIGHT - 4) * Math.min(value / top, 1)]);
      last = place;
    });
    return parts;
  }
}

const xOf = (place) => (place / (LENGTH - 1)) * WIDTH;
const along = (part) => {
  // A single value is a short stroke, so that it can be seen.
  const points = part.length === 1 ? [part[0], [part[0][0] + 2, part[0][1]]] : part;
  return `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
};
const areaUnder = (part) =>
  `${along(part)}L${part[part.length - 1][0].toFixed(1)} ${HEIGHT}L${part[0][0].toFixed(1)} ${HEIGHT}Z`;

// The next round number: 1, 2 or 5 times a power of ten, of the unit that fits.
function ceiling(value, base) {
  if (!(value > 0)) return 1;
  const unit = base ** Math.floor(Math.log(value) / Math.log(base));
  const power = unit * 10 ** Math.floor(Math.log10(value / unit));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}
