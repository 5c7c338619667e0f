// One figure of values: what is chosen of it, what is missing, and its table.

const NARROW = 620;
// On a phone.
const WIDE = "The table is wider than the page: scroll it sideways.";
// The name of an axis has larger letters than those that are measured.
const AXIS_ROOM = 0.88;

function drawFigure(place, figure, state) {
  const { plot } = figure;
  const own = state.figures[figure.id];
  hideTip();
  const isOn = ({ series }) => !state.hidden.has(plot.series[series].server);
  const points = plot.points.filter(isOn);
  const drawable = points.filter(isDrawn);
  const panels = panelsOf(plot, own).filter((panel) => drawable.some((point) => point.panel === panel));
  const missed = points.filter((point) => !isDrawn(point) && panelsOf(plot, own).includes(point.panel));
  const remarks = plot.series.filter(({ server, remark }) => remark && !state.hidden.has(server));
  const lines = remarks.map(({ label: name, remark }) => element("p", {}, `${name}: ${remark}`));
  place.querySelector(".gaps").replaceChildren(...lines, ...missedLines(plot, missed), ...zeroLines(figure, own, drawable, panels));
  place.querySelector(".figures").replaceChildren(figuresTable(plot, points));
  const canvas = place.querySelector(".canvas");
  const width = Math.max(280, canvas.clientWidth);
  // Rows beside each other where there is room for it; lines below each other.
  const columns = panels.length > 1 && width > 900 && !plot.x ? panels.length : 1;
  canvas.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  const rows = rowsOf(plot, points, drawable, panels);
  const pictures = panels.map((panel) => {
    const its = drawable.filter((point) => point.panel === panel);
    const alike = drawable.filter((point) => panels.includes(point.panel) && isAlike(plot, point.panel, panel));
    const room = Math.floor(width / columns) - (columns - 1) * 8;
    const svg = plot.x ? drawLines(figure, panel, its, room, own.logarithmic, alike) : drawRows(figure, panel, its, room, own.logarithmic, rows);
    listen(svg, place, figure, its);
    const title = panels.length > 1 ? [element("p", { class: "facet" }, plot.panels[panel].name)] : [];
    return element("div", {}, ...title, svg);
  });
  const nothing = element("p", { class: "nothing" }, "Nothing of this was measured with the servers that are switched on.");
  canvas.replaceChildren(...(pictures.length > 0 ? pictures : [nothing]));
}

// The pictures that stand beside each other: those of the figure, or the one that was chosen.
function panelsOf({ panels }, { panel }) {
  const all = panels.map((_, at) => at);
  return panel > 0 ? [panel - 1] : all.filter((at) => !panels[at].hidden);
}

// Panels of one axis have the same numbers, so that they can be compared.
function isAlike({ panels }, one, other) {
  return JSON.stringify(panels[one].axis) === JSON.stringify(panels[other].axis);
}

function isDrawn({ marker, value }) {
  return marker !== "missed" && isNumber(value);
}

function isLog(panel, logarithmic, values) {
  return (logarithmic ?? panel.axis.scale === "log") && values.some((value) => value > 0);
}

// Everything that must be on the axis of a panel; the rounds are dots on it, or nowhere.
function values(plot, panel, points) {
  const rounds = plot.dots ? points.flatMap((point) => point.records.map(([, , value]) => value)) : [];
  return [...points.flatMap(ends), ...rounds.filter(isNumber), ...panel.lines];
}

function ends({ value, interval }) {
  return [value, ...(interval ? [interval.low, interval.high] : [])];
}

function frame({ title, plot }, panel, width, height) {
  const label = `${title}, ${plot.panels[panel].name}. Arrow keys go from point to point, Enter shows the records.`;
  return drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "application", tabindex: 0, "aria-label": label });
}

function axisName({ label }, logarithmic) {
  return label.includes("logarithmic") || !logarithmic ? label.replace(logarithmic ? "" : ", logarithmic", "") : `${label} (logarithmic)`;
}

// A row for each series at each place and mark, a column for each panel.
function figuresTable(plot, points) {
  const head = ["server", ...(plot.x ? [plot.x.label] : []), ...(plot.marks.length > 0 ? [""] : []), ...plot.panels.map(({ name }) => name), "note"];
  const rows = new Map();
  for (const point of points) {
    const key = JSON.stringify([point.series, point.x, point.mark]);
    rows.set(key, [...(rows.get(key) ?? []), point]);
  }
  const order = ([a], [b]) => a.series - b.series || a.x - b.x || a.mark - b.mark;
  const cell = (point, at) => (point && isDrawn(point) ? [format(point.value, plot.panels[at].axis.unit), intervalName(point, plot.panels[at].axis.unit)].filter(Boolean).join(" · ") : NONE);
  const body = [...rows.values()].sort(order).map((its) => [
    plot.series[its[0].series].label,
    ...(plot.x ? [format(its[0].x, plot.x.unit)] : []),
    ...(plot.marks.length > 0 ? [plot.marks[its[0].mark].name] : []),
    ...plot.panels.map((_, at) => cell(its.find((point) => point.panel === at), at)),
    [...new Set(its.map((point) => point.note).filter(Boolean))].join("; "),
  ]);
  return textTable(head, body);
}

function textTable(head, body) {
  const row = (name, texts) => element("tr", {}, ...texts.map((text) => element(name, {}, text)));
  const table = element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...body.map((texts) => row("td", texts))));
  return element("div", { class: "wide", tabindex: 0 }, table);
}

// `01, 03: ab would hang`
function missedLines(plot, points) {
  const reasons = new Map();
  for (const point of points) {
    const names = reasons.get(point.note) ?? new Map();
    const place = plot.marks[point.mark]?.label ?? (plot.x ? format(point.x, plot.x.unit) : "");
    const { name } = plot.series[point.series];
    names.set(name, new Set([...(names.get(name) ?? []), place].filter(Boolean)));
    reasons.set(point.note, names);
  }
  return [...reasons].map(([words, names]) => {
    const alike = new Map();
    for (const [name, places] of names) {
      const list = [...places].join(", ");
      alike.set(list, [...(alike.get(list) ?? []), name]);
    }
    const list = [...alike].map(([places, its]) => [its.join(", "), places].filter(Boolean).join(" with "));
    return element("p", {}, `Missing: ${list.join("; ")} (${words ?? "no such value"}).`);
  });
}

// `At the edge, since a logarithmic axis has no 0: h2o.`
function zeroLines({ plot }, { logarithmic }, points, panels) {
  const isZero = ({ value, panel }) => value <= 0 && panels.includes(panel) && isLog(plot.panels[panel], logarithmic, [1]);
  const names = new Set(points.filter(isZero).map(({ series, x }) => plot.series[series].name + (plot.x ? ` at ${format(x, plot.x.unit)}` : "")));
  return names.size === 0 ? [] : [element("p", {}, `At the edge, since a logarithmic axis has no 0: ${[...names].join("; ")}.`)];
}
