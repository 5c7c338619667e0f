// One chart: what is chosen of it, its axes, and its tables.

const NARROW = 620;

function drawPlot(figure, plot, state) {
  const canvas = figure.querySelector(".canvas");
  const { options } = state.plots[plot.id];
  const chosen = (one) => one.options.every((option, at) => option === options[at]);
  const points = plot.points.filter((point) => chosen(point) && !state.hidden.has(DATA.servers[point.server].name));
  const gaps = plot.gaps.filter((gap) => chosen(gap) && !state.hidden.has(DATA.servers[gap.server].name));
  hideTip();
  const isMissed = (point) => point.look === "missed";
  const isAbsurd = (point) => !(Math.abs(point.y) < 1e12);
  const drawable = points.filter((point) => !isMissed(point) && !isAbsurd(point));
  const logarithmic = state.plots[plot.id].logarithmic && drawable.some((point) => point.y > 0);
  const zeros = logarithmic ? drawable.filter((point) => point.y <= 0) : [];
  const notes = [
    ["Rate not reached, so no latency is drawn", points.filter(isMissed)],
    ["At the edge, since a logarithmic axis has no 0", zeros],
    ["Not drawn, since no figure can be so large", points.filter(isAbsurd)],
  ];
  const lines = notes.flatMap(([what, own]) => pointLines(plot, what, own));
  figure.querySelector(".gaps").replaceChildren(...gapLines(gaps), ...lines);
  figure.querySelector(".figures").replaceChildren(figuresTable(plot, points));
  if (drawable.length === 0) {
    canvas.replaceChildren(element("p", { class: "nothing" }, "Nothing of this was measured with the servers that are switched on."));
    return;
  }
  const width = Math.max(280, canvas.clientWidth);
  const draw = plot.form === "lines" ? drawLines : drawRows;
  const svg = draw(plot, drawable, width, logarithmic);
  canvas.replaceChildren(svg);
  listen(svg, figure, plot, drawable);
}

function ends(points) {
  return points.flatMap((point) => [point.y, ...(point.interval ?? [])]);
}

function frame(plot, width, height) {
  const label = `${figureTitle(plot)}. Arrow keys go from point to point, Enter shows the records.`;
  return drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "application", tabindex: 0, "aria-label": label });
}

function figureTitle(plot) {
  return document.getElementById(plot.id).querySelector("h2").textContent;
}

// A line per server over x. Markers stand side by side at each x, so that equally fast servers can all be seen.
function drawLines(plot, points, width, logarithmic) {
  const narrow = width < NARROW;
  const height = narrow ? 340 : 440;
  const box = { left: 0, right: width - 12, top: 34, bottom: height - 52 };
  const lines = linesOf(points);
  const up = (logarithmic ? logScale : linearScale)(domain(ends(points), logarithmic, plot.baseline), [box.bottom, box.top]);
  const ticks = up.ticks(8);
  const numbers = ticks.map((tick) => formatTick(tick, ticks));
  box.left = widest(numbers) + 14;
  box.right -= widest(lines.map((line) => line.name)) + (lines.some((line) => line.name) ? 10 : 0);
  const svg = frame(plot, width, height);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const across = xScale(plot, xs, box);
  svg.append(label(4, 16, `${plot.y}${logarithmic ? " (logarithmic)" : ""}`, { class: "axis" }));
  ticks.forEach((tick, at) => {
    const y = up.place(tick);
    svg.append(drawing("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
    svg.append(label(box.left - 8, y + 4, numbers[at], { class: "tick y", "text-anchor": "end" }));
  });
  xLabels(svg, plot, xs, across, box);
  svg.append(label(box.right, height - 8, plot.x, { class: "axis", "text-anchor": "end" }));
  const step = dodge(xs, across, lines.length, box);
  const marks = drawing("g", { class: "marks" });
  // Lines first, so that no line covers a marker.
  const lasts = lines.map((line, at) => {
    const shift = (at - (lines.length - 1) / 2) * step;
    const places = line.points.map((point) => ({ point, x: across.place(point.x) + shift, y: up.place(point.y) }));
    svg.append(serverLine(line.server, places));
    for (const { point, x, y } of places) {
      const whisker = point.interval?.map((end) => [x, up.place(end)]);
      marks.append(mark(points.indexOf(point), point, [x, y], whisker, narrow ? 0.7 : 0.85));
    }
    return { name: line.name, y: places[places.length - 1].y };
  });
  lineNames(svg, lasts, box);
  svg.append(marks);
  return svg;
}

// The points of each line from left to right; a server has several where they have names.
function linesOf(points) {
  const lines = new Map();
  const sorted = [...points].sort((a, b) => a.server - b.server || a.x - b.x);
  for (const point of sorted) {
    const name = point.series ?? "";
    const key = `${point.server} ${name}`;
    if (!lines.has(key)) lines.set(key, { server: point.server, name, points: [] });
    lines.get(key).points.push(point);
  }
  return [...lines.values()];
}

// Behind the last points, moved down where they would touch.
function lineNames(svg, lasts, { right, top }) {
  let free = top;
  for (const { name, y } of [...lasts].sort((a, b) => a.y - b.y)) {
    if (!name) continue;
    const at = Math.max(y + 4, free);
    svg.append(label(right + 8, at, name, { class: "name" }));
    free = at + 17;
  }
}

function xScale(plot, xs, { left, right }) {
  const [first, last] = [xs[0], xs[xs.length - 1]];
  if (!plot.doubling || first <= 0) {
    const room = Math.max((last - first) * 0.1, 1);
    return linearScale([first - room, last + room], [left, right]);
  }
  const room = first < last ? (last / first) ** (0.5 / xs.length) : 2;
  return logScale([first / room, last * room], [left, right]);
}

// The measured numbers; where they would touch the first and the last stay.
function xLabels(svg, plot, xs, across, box) {
  const labels = xs.map((x) => ({ text: `${format(x)}${plot.suffix}`, at: across.place(x) }));
  const half = ({ text }) => textWidth(text) / 2 + 5;
  const last = labels[labels.length - 1];
  let free = -Infinity;
  for (const one of labels) {
    svg.append(drawing("line", { class: "grid", x1: one.at, x2: one.at, y1: box.top, y2: box.bottom }));
    const limit = one === last ? Infinity : last.at - half(last);
    if (one.at - half(one) < free || one.at + half(one) > limit) continue;
    svg.append(label(one.at, box.bottom + 20, one.text, { class: "tick x", "text-anchor": "middle" }));
    free = one.at + half(one);
  }
}

function dodge(xs, across, count, { left, right }) {
  const gaps = xs.slice(1).map((x, at) => across.place(x) - across.place(xs[at]));
  const nearest = Math.min(...gaps, (right - left) / 2);
  return Math.min(14, (0.8 * nearest) / count);
}

// A point where some clients get nothing is no step of a line.
function serverLine(server, places) {
  const path = places
    .filter(({ point }) => point.look !== "cross")
    .map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`);
  const { dashes } = DATA.servers[server];
  return drawing("path", { class: "line", ...dress(server), d: path.join(""), "stroke-dasharray": dashes?.join(" ") ?? null });
}

// A row per server: its name, its mark, its figures. On a narrow page the figures stand below the mark.
function drawRows(plot, points, width, logarithmic) {
  const narrow = width < NARROW;
  const rows = [...points].sort((a, b) => a.server - b.server || a.x - b.x);
  const names = rows.map(({ server }) => (narrow ? DATA.servers[server].name : serverName(DATA.servers[server])));
  const figures = rows.map(rowFigures);
  const height = narrow ? 46 : 30;
  const left = Math.min(widest(names), 240) + 20;
  const right = width - (narrow ? 16 : Math.min(widest(figures), 340) + 20);
  const box = { left, right, top: 14, bottom: 20 + height * rows.length };
  const svg = frame(plot, width, box.bottom + 46);
  const scale = (logarithmic ? logScale : linearScale)(domain(ends(points), logarithmic, plot.baseline), [left, right]);
  band(svg, plot, rows, scale, box);
  rowAxis(svg, plot, scale, box, width, logarithmic);
  const marks = drawing("g", { class: "marks" });
  rows.forEach((point, at) => {
    const y = box.top + height * at + (narrow ? 14 : height / 2);
    const place = narrow ? [left, y + 22] : [right + 12, y + 4];
    svg.append(label(left - 10, y + 4, cut(names[at], left - 14), { class: "name", "text-anchor": "end" }));
    svg.append(label(...place, cut(figures[at], width - place[0] - 2), { class: "value" }));
    const whisker = point.interval?.map((end) => [scale.place(end), y]);
    marks.append(mark(points.indexOf(point), point, [scale.place(point.y), y], whisker, 0.9));
  });
  svg.append(marks);
  return svg;
}

// `1.06 (1.02 to 1.07), not distinguishable`
function rowFigures(point) {
  const figures = point.interval ? `${format(point.y)} (${intervalName(point)})` : format(point.y);
  return [figures, point.note].filter(Boolean).join(", ");
}

function rowAxis(svg, plot, scale, { left, right, top, bottom }, width, logarithmic) {
  const line = (name, value) => {
    const x = scale.place(value);
    svg.append(drawing("line", { class: name, x1: x, x2: x, y1: top, y2: bottom }));
    return x;
  };
  const ticks = scale.ticks(Math.max(2, Math.floor((right - left) / 70)));
  for (const tick of ticks) {
    svg.append(label(line("grid", tick), bottom + 18, formatTick(tick, ticks), { class: "tick y", "text-anchor": "middle" }));
  }
  if (plot.baseline !== null) line("base", plot.baseline);
  const title = `${plot.y}${logarithmic ? " (logarithmic)" : ""}`;
  svg.append(label(width - 4, bottom + 40, title, { class: "axis", "text-anchor": "end" }));
}

// The floor against itself: how small a difference can be told from none.
function band(svg, plot, rows, scale, box) {
  const floor = rows.find((point) => DATA.servers[point.server].name === "floor");
  if (plot.baseline === null || !floor?.interval) return;
  const [low, high] = floor.interval.map(scale.place);
  svg.append(drawing("rect", { class: "band", x: low, y: box.top, width: Math.max(1, high - low), height: box.bottom - box.top }));
}

function figuresTable(plot, points) {
  const head = ["server", ...(plot.form === "lines" ? [plot.x] : []), plot.y, "interval", "note"];
  const cells = (point) => [
    serverName(DATA.servers[point.server]),
    ...(plot.form === "lines" ? [`${format(point.x)}${plot.suffix}`] : []),
    point.look === "missed" ? "–" : format(point.y),
    point.look === "missed" ? "–" : intervalName(point),
    point.note ?? "",
  ];
  const sorted = [...points].sort((a, b) => a.server - b.server || a.x - b.x);
  const row = (name, texts) => element("tr", {}, ...texts.map((text) => element(name, {}, text)));
  const body = sorted.map((point) => row("td", cells(point)));
  const table = element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...body));
  return element("div", { class: "wide", tabindex: 0 }, table);
}

// `Rate not reached, so no latency is drawn: 04 at 80 %, 90 %; 06 at 90 %.`
function pointLines(plot, what, points) {
  const places = new Map();
  for (const point of [...points].sort((a, b) => a.server - b.server || a.x - b.x)) {
    const name = point.series ?? DATA.servers[point.server].name;
    places.set(name, [...(places.get(name) ?? []), `${format(point.x)}${plot.suffix}`]);
  }
  if (places.size === 0) return [];
  const at = (xs) => (plot.form === "lines" ? ` at ${xs.join(", ")}` : "");
  return [element("p", {}, `${what}: ${[...places].map(([name, xs]) => name + at(xs)).join("; ")}.`)];
}

// `Not measured: 01, 03 with 64 clients (ab would hang with keep-alive)`
function gapLines(gaps) {
  const reasons = new Map();
  for (const gap of gaps) reasons.set(gap.reason, [...(reasons.get(gap.reason) ?? []), gap]);
  return [...reasons].map(([reason, own]) => {
    const names = [...new Set(own.map((gap) => gap.series ?? DATA.servers[gap.server].name))];
    const clients = [...new Set(own.map((gap) => gap.x))].sort((a, b) => a - b);
    return element("p", {}, `Not measured: ${names.join(", ")} with ${clients.join(", ")} clients (${reason}).`);
  });
}
