// What is switched on. It is kept in the address, so that a view can be linked, and nowhere else.

const DATA = JSON.parse(document.getElementById("data").textContent);
const PLOTS = DATA.figures.filter(({ plot }) => plot.form === "points");

// The measures that share no picture have a switch like the other choices.
function switchesOf({ plot }) {
  const { measures, show, x } = plot;
  const isSwitched = measures.length > 1 && (show === "first" || (show === "marks" && x !== null));
  const options = measures.map((measure) => measure.name);
  const measure = { id: "measure", label: "Figure", options, first: plot.first, at: -1 };
  const choices = plot.choices.map((choice, at) => ({ ...choice, first: firstWithPoints(plot, at), at }));
  return [...(isSwitched ? [measure] : []), ...choices.filter((choice) => choice.show !== "beside" && choice.options.length > 1)];
}

// A choice that nothing was measured with is not what a reader meets first.
function firstWithPoints(plot, at) {
  const used = new Set(plot.points.map((point) => point.options[at]));
  return Math.max(0, plot.choices[at].options.findIndex((_, option) => used.has(option)));
}

function readState() {
  const words = new URLSearchParams(location.hash.slice(1));
  const hidden = new Set((words.get("hide") ?? "").split(" ").filter(Boolean));
  const figures = {};
  for (const figure of PLOTS) {
    const state = { measure: null, options: figure.plot.choices.map((_, at) => firstWithPoints(figure.plot, at)) };
    for (const { id, options, first, at } of switchesOf(figure)) {
      const asked = options.indexOf(words.get(`${figure.id}.${id}`));
      const chosen = asked >= 0 ? asked : first;
      if (at < 0) state.measure = chosen;
      else state.options[at] = chosen;
    }
    const axis = words.get(`${figure.id}.axis`);
    state.logarithmic = axis ? axis === "log" : isLogarithmic(figure);
    figures[figure.id] = state;
  }
  return { hidden, figures };
}

function isLogarithmic({ plot }) {
  return plot.measures[0].axis.scale === "log";
}

// Only what differs from the page as it opens.
function stateToHash(state) {
  const words = new URLSearchParams();
  if (state.hidden.size > 0) words.set("hide", [...state.hidden].join(" "));
  for (const figure of PLOTS) {
    const own = state.figures[figure.id];
    if (own.logarithmic !== isLogarithmic(figure)) words.set(`${figure.id}.axis`, own.logarithmic ? "log" : "linear");
    for (const { id, options, first, at } of switchesOf(figure)) {
      const chosen = at < 0 ? own.measure : own.options[at];
      if (chosen !== first) words.set(`${figure.id}.${id}`, options[chosen]);
    }
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
