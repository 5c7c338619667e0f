// What is switched on. It is kept in the address, so that a view can be linked, and nowhere else.

const DATA = JSON.parse(document.getElementById("data").textContent);

function readState() {
  const words = new URLSearchParams(location.hash.slice(1));
  const hidden = new Set((words.get("hide") ?? "").split(" ").filter(Boolean));
  const plots = {};
  for (const plot of DATA.plots) {
    const axis = words.get(`${plot.id}.axis`);
    const options = plot.choices.map((choice) => {
      const asked = choice.options.indexOf(words.get(`${plot.id}.${choice.id}`));
      return asked >= 0 ? asked : 0;
    });
    plots[plot.id] = { logarithmic: axis ? axis === "log" : plot.logarithmic, options };
  }
  return { hidden, plots };
}

// Only what differs from the page as it opens.
function stateToHash(state) {
  const words = new URLSearchParams();
  if (state.hidden.size > 0) words.set("hide", [...state.hidden].join(" "));
  for (const plot of DATA.plots) {
    const { logarithmic, options } = state.plots[plot.id];
    if (logarithmic !== plot.logarithmic) words.set(`${plot.id}.axis`, logarithmic ? "log" : "linear");
    plot.choices.forEach((choice, at) => {
      if (options[at] !== 0) words.set(`${plot.id}.${choice.id}`, choice.options[options[at]]);
    });
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
