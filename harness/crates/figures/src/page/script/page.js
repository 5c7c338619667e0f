// The switches, and the start.

const LEGEND = document.getElementById("legend");
buildDocument();
const PLACES = new Map(DATA.figures.map((figure) => [figure, document.getElementById(figure.id)]));
let state = readState();

function drawAll() {
  for (const figure of DATA.figures) drawOne(figure);
}

function drawOne(figure) {
  const draw = figure.plot.form === "points" ? drawFigure : drawMatrix;
  draw(PLACES.get(figure), figure, state);
}

function changed(figures = DATA.figures) {
  writeState(state);
  figures.forEach(drawOne);
}

const GROUPS = {
  All: () => true,
  None: () => false,
  "Only stages": (server) => server.kind === "stage",
  "Only references": (server) => server.kind !== "stage",
};

// Whose every point was skipped has nothing to switch.
function measuredServers() {
  const drawn = new Set(PLOTS.flatMap(({ plot }) => plot.points.map((point) => plot.series[point.series].server)));
  return DATA.servers.filter((server) => drawn.has(server.name));
}

function serverSwitch(server) {
  const box = element("input", { type: "checkbox", "data-server": server.name });
  box.addEventListener("change", () => {
    if (box.checked) state.hidden.delete(server.name);
    else state.hidden.add(server.name);
    changed();
  });
  return element("label", {}, box, swatch(server), element("span", {}, ...boldName(server)));
}

// `04 Non-blocking epoll`, `reference: nginx`, with the name in bold
function boldName({ name, label }) {
  const at = label.indexOf(name);
  return [label.slice(0, at), element("b", {}, name), label.slice(at + name.length)];
}

function swatch({ name, style }) {
  const svg = drawing("svg", { viewBox: "0 0 40 18", width: 40, height: 18, "aria-hidden": "true", ...dress(style, name) });
  const marker = shape(style, "filled", 0.85);
  marker.setAttribute("transform", "translate(20 9)");
  const dashes = style.dashes?.join(" ") ?? null;
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
    element("div", { class: "servers" }, ...measuredServers().map(serverSwitch)),
    element("p", { class: "signs" }, "hollow: the server alone was not the limit · × : not all clients were served · whisker: interval"),
  );
  if (matchMedia("(max-width: 900px)").matches) LEGEND.open = false;
}

function panelSwitch(figure) {
  const radios = switchOf(figure).map((name, number) => {
    const radio = element("input", { type: "radio", name: `${figure.id}.panel`, value: name });
    radio.addEventListener("change", () => {
      state.figures[figure.id].panel = number;
      changed([figure]);
      showState();
    });
    return element("label", {}, radio, name);
  });
  return radios.length > 0 ? [element("fieldset", {}, element("legend", {}, "Figure"), ...radios)] : [];
}

function axisSwitch(figure) {
  const box = element("input", { type: "checkbox", "data-log": figure.id });
  box.addEventListener("change", () => {
    state.figures[figure.id].logarithmic = box.checked;
    changed([figure]);
  });
  return element("fieldset", {}, element("legend", {}, "Axis"), element("label", {}, box, "logarithmic"));
}

function buildSwitches(figure) {
  PLACES.get(figure).querySelector(".switches").replaceChildren(...panelSwitch(figure), axisSwitch(figure));
}

// Sets every switch to what the state says.
function showState() {
  for (const box of LEGEND.querySelectorAll("input")) box.checked = !state.hidden.has(box.dataset.server);
  for (const figure of PLOTS) {
    const [place, own] = [PLACES.get(figure), state.figures[figure.id]];
    place.querySelector("[data-log]").checked = isLogarithmic(figure, own);
    const radios = place.querySelectorAll(`input[name="${figure.id}.panel"]`);
    if (radios.length > 0) radios[own.panel].checked = true;
  }
}

function start() {
  buildLegend();
  PLOTS.forEach(buildSwitches);
  showState();
  drawAll();
  const resized = new ResizeObserver(debounce(drawAll));
  resized.observe(document.querySelector("main"));
  // The address is for the view, so going to a figure leaves it alone.
  for (const link of document.querySelectorAll("nav a, .findings a")) {
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
