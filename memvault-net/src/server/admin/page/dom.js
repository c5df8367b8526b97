// Elements, made and changed. Whatever comes from a server or a person becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// An element of HTML.
const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

// An element of SVG.
const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

// Sets a text, but only a new one: screen readers tell of every change.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, name) {
  if (element.getAttribute("class") !== name) element.setAttribute("class", name);
}

// The class of a node's colour, by its place in the list.
const colourOf = (place) => `n${place % 10}`;

// The number by which a node is known where its colour is, so that the colour is not the only sign.
const badge = (place) =>
  make("span", { class: `badge ${colourOf(place)}` }, make("span", {}, String(place + 1)));
