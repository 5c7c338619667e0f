// The switches, and the start.

const LEGEND = document.getElementById("legend");
const figures = new Map(DATA.plots.map((plot) => [plot, document.getElementById(plot.id)]));
let state = readState();

function drawAll() {
  for (const [plot, figure] of figures) drawPlot(figure, plot, state);
}

function changed(plots = DATA.plots) {
  writeState(state);
  for (const plot of plots) drawPlot(figures.get(plot), plot, state);
}

const GROUPS = {
  All: () => true,
  None: () => false,
  "Only stages": (server) => server.kind === "stage",
  "Only references": (server) => server.kind !== "stage",
};

// Whose every point was skipped has nothing to switch.
function measuredServers() {
  const drawn = new Set(DATA.plots.flatMap((plot) => plot.points.map((point) => point.server)));
  return [...drawn].sort((a, b) => a - b);
}

function serverSwitch(server, at) {
  const box = element("input", { type: "checkbox", "data-server": server.name });
  box.addEventListener("change", () => {
    if (box.checked) state.hidden.delete(server.name);
    else state.hidden.add(server.name);
    changed();
  });
  return element("label", {}, box, swatch(at), element("span", {}, ...boldName(server)));
}

// `04 Non-blocking epoll`, `reference: nginx`, with the name in bold
function boldName({ name, label }) {
  const at = label.indexOf(name);
  return [label.slice(0, at), element("b", {}, name), label.slice(at + name.length)];
}

function swatch(at) {
  const svg = drawing("svg", { viewBox: "0 0 40 18", width: 40, height: 18, "aria-hidden": "true", ...dress(at) });
  const marker = shape(at, "filled", 0.85);
  marker.setAttribute("transform", "translate(20 9)");
  const dashes = DATA.servers[at].dashes?.join(" ") ?? null;
  svg.append(drawing("path", { class: "line", d: "M2 9H38", "stroke-dasharray": dashes }), marker);
  return svg;
}

function groupButton([name, belongs]) {
  const button = element("button", { type: "button", "data-show": name }, name);
  button.addEventListener("click", () => {
    state.hidden = new Set(DATA.servers.filter((server) => !belongs(server)).map((server) => server.name));
    changed();
    showState();
  });
  return button;
}

function buildLegend() {
  const buttons = Object.entries(GROUPS).map(groupButton);
  LEGEND.append(
    element("div", { class: "buttons" }, ...buttons),
    element("div", { class: "servers" }, ...measuredServers().map((at) => serverSwitch(DATA.servers[at], at))),
    element("p", { class: "signs" }, "hollow: the generator was the limit · × : not all clients were served · whisker: interval"),
  );
  if (matchMedia("(max-width: 900px)").matches) LEGEND.open = false;
}

function choiceSwitch(plot, choice, at) {
  const radios = choice.options.map((option, number) => {
    const radio = element("input", { type: "radio", name: `${plot.id}.${choice.id}`, value: option });
    radio.addEventListener("change", () => {
      state.plots[plot.id].options[at] = number;
      changed([plot]);
    });
    return element("label", {}, radio, option);
  });
  return element("fieldset", {}, element("legend", {}, choice.label), ...radios);
}

function axisSwitch(plot) {
  const box = element("input", { type: "checkbox", "data-log": plot.id });
  box.addEventListener("change", () => {
    state.plots[plot.id].logarithmic = box.checked;
    changed([plot]);
  });
  return element("fieldset", {}, element("legend", {}, "Axis"), element("label", {}, box, "logarithmic"));
}

function buildSwitches(plot, figure) {
  const choices = plot.choices.map((choice, at) => choiceSwitch(plot, choice, at));
  figure.querySelector(".switches").replaceChildren(...choices, axisSwitch(plot));
}

// Sets every switch to what the state says.
function showState() {
  for (const box of LEGEND.querySelectorAll("input")) box.checked = !state.hidden.has(box.dataset.server);
  for (const [plot, figure] of figures) {
    const { logarithmic, options } = state.plots[plot.id];
    figure.querySelector("[data-log]").checked = logarithmic;
    plot.choices.forEach((choice, at) => {
      const radios = figure.querySelectorAll(`input[name="${plot.id}.${choice.id}"]`);
      radios[options[at]].checked = true;
    });
  }
}

function start() {
  buildLegend();
  for (const [plot, figure] of figures) buildSwitches(plot, figure);
  showState();
  drawAll();
  const resized = new ResizeObserver(debounce(drawAll));
  resized.observe(document.querySelector("main"));
  // The address is for the view, so going to a chart leaves it alone.
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector(link.getAttribute("href")).scrollIntoView();
    });
  }
  addEventListener("hashchange", () => {
    state = readState();
    showState();
    drawAll();
  });
}

// A window that is being dragged asks for a size many times; the last one counts. The first call is the observer's own.
function debounce(action) {
  let [timer, width] = [0, document.querySelector("main").clientWidth];
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = document.querySelector("main").clientWidth;
      if (now !== width) [width] = [now, action()];
    }, 100);
  };
}

start();
