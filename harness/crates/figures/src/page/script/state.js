// What is switched on. It is kept in the address, so that a view can be linked, and nowhere else.

const DATA = JSON.parse(document.getElementById("data").textContent);
const PLOTS = DATA.figures.filter(({ plot }) => plot.form === "points");

// A figure with hidden panels has a switch: what the picture shows, or one panel alone.
function switchOf({ plot }) {
  const names = plot.panels.map(({ name }) => name);
  return plot.panels.some(({ hidden }) => hidden) ? ["as in the picture", ...names] : [];
}

function readState() {
  const words = new URLSearchParams(location.hash.slice(1));
  const hidden = new Set((words.get("hide") ?? "").split(" ").filter(Boolean));
  const figures = {};
  for (const figure of PLOTS) {
    const panel = Math.max(0, switchOf(figure).indexOf(words.get(`${figure.id}.panel`)));
    const axis = words.get(`${figure.id}.axis`);
    const state = { panel, logarithmic: axis ? axis === "log" : null };
    figures[figure.id] = state;
  }
  return { hidden, figures };
}

// As the first picture has it.
function isLogarithmic({ plot }, { panel, logarithmic }) {
  return logarithmic ?? plot.panels[panelsOf(plot, { panel })[0]].axis.scale === "log";
}

// Only what differs from the page as it opens.
function stateToHash(state) {
  const words = new URLSearchParams();
  if (state.hidden.size > 0) words.set("hide", [...state.hidden].join(" "));
  for (const figure of PLOTS) {
    const own = state.figures[figure.id];
    if (own.logarithmic !== null) words.set(`${figure.id}.axis`, own.logarithmic ? "log" : "linear");
    if (own.panel > 0) words.set(`${figure.id}.panel`, switchOf(figure)[own.panel]);
  }
  return words.toString();
}

function writeState(state) {
  const hash = stateToHash(state);
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

// The elements of the page are made here; text never becomes markup.
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
