// A line per series over a load; pictures beside each other have the same axes, which hold `all` points.
// Markers stand side by side at each place, so that equal ones can all be seen.

function drawLines(figure, view, points, width, logarithmic, all) {
  const { plot } = figure;
  const narrow = width < NARROW;
  const height = narrow ? 340 : 440;
  const box = { left: 0, right: width - 12, top: 34, bottom: height - 52 };
  const lines = linesOf(plot, points);
  const { axis } = plot.measures[view.measures[0]];
  const steps = view.measures.includes(0) ? plot.references.flatMap((reference) => (reference.steps ? [reference.steps] : [])) : [];
  const values = [...ends(all), ...steps.flatMap(([, its]) => its.map(([, value]) => value))];
  const up = valueScale(values, axis.scale, logarithmic, [box.bottom, box.top]);
  const ticks = up.ticks(8);
  const numbers = ticks.map((tick) => formatTick(tick, axis.unit, ticks));
  box.left = widest(numbers) + 14;
  const names = lines.filter(({ series }) => isNamed(series)).map(({ series }) => series.label);
  box.right -= widest(names) + (names.length > 0 ? 10 : 0);
  const svg = frame(figure, view, width, height);
  const across = xScale(plot, all, box);
  svg.append(label(4, 16, axisName(axis, logarithmic), { class: "axis" }));
  ticks.forEach((tick, at) => {
    const y = up.place(tick);
    svg.append(drawing("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
    svg.append(label(box.left - 8, y + 4, numbers[at], { class: "tick y", "text-anchor": "end" }));
  });
  bands(svg, plot, across, box);
  xLabels(svg, plot, across, box);
  svg.append(label(width - 4, height - 8, cut(plot.x.label, AXIS_ROOM * width), { class: "axis", "text-anchor": "end" }));
  for (const [name, its] of steps) idealSteps(svg, name, its, across, up);
  const step = Math.min(14, (0.8 * across.nearest) / lines.length);
  const marks = drawing("g", { class: "marks" });
  // Lines first, so that no line covers a marker.
  const lasts = lines.map((line, at) => {
    const shift = (at - (lines.length - 1) / 2) * step;
    const places = line.points.map((point) => ({ point, x: across.place(point.x) + shift, y: up.place(point.value) }));
    svg.append(seriesLine(line.series, places, across.xs));
    for (const { point, x, y } of places) {
      const whisker = point.interval && [point.interval.low, point.interval.high].map((end) => [x, up.place(end)]);
      marks.append(mark(points.indexOf(point), line.series.style, line.series, point.look, [x, y], whisker, narrow ? 0.7 : 0.85));
    }
    return { name: isNamed(line.series) ? line.series.label : "", y: places[places.length - 1].y };
  });
  lineNames(svg, lasts, box);
  svg.append(marks);
  return svg;
}

// The legend names the servers; what is none of them is named at its line.
function isNamed(series) {
  return !DATA.servers.some((server) => server.label === series.label);
}

// The points of each series from left to right.
function linesOf(plot, points) {
  const lines = plot.series.map((series, at) => {
    const its = points.filter((point) => point.series === at).sort((a, b) => a.x - b.x);
    return { series, points: its };
  });
  return lines.filter((line) => line.points.length > 0);
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

// Bands stand evenly, and only those in which something is; other numbers where they belong.
function xScale(plot, points, { left, right }) {
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const [first, last] = [xs[0], xs[xs.length - 1]];
  const isLog = plot.x.scale === "log" && first > 0;
  const room = first < last ? (last / first) ** (0.5 / xs.length) : 2;
  const scale = isLog
    ? logScale([first / room, last * room], [left, right])
    : linearScale([-0.5, xs.length - 0.5], [left, right]);
  const place = (x) => scale.place(isLog ? x : xs.indexOf(x));
  const gaps = xs.slice(1).map((x, at) => place(x) - place(xs[at]));
  return { xs, place, nearest: Math.min(...gaps, (right - left) / 2) };
}

// The measured places; where their names would touch, the first and the last stay.
function xLabels(svg, plot, { xs, place }, box) {
  const labels = xs.map((x) => ({ text: placeName(plot, x), at: place(x) }));
  const half = ({ text }) => textWidth(text) / 2 + 5;
  const last = labels[labels.length - 1];
  let free = -Infinity;
  for (const one of labels) {
    if (!plot.x.scale.bands) svg.append(drawing("line", { class: "grid", x1: one.at, x2: one.at, y1: box.top, y2: box.bottom }));
    const limit = one === last ? Infinity : last.at - half(last);
    if (one.at - half(one) < free || one.at + half(one) > limit) continue;
    svg.append(label(one.at, box.bottom + 20, one.text, { class: "tick x", "text-anchor": "middle" }));
    free = one.at + half(one);
  }
}

// All markers of one place stand in a band of grey.
function bands(svg, plot, { xs, place, nearest }, { top, bottom }) {
  if (!plot.x.scale.bands) return;
  const half = xs.length > 1 ? nearest / 2 - 4 : nearest;
  const rects = xs.map((x) => drawing("rect", { class: "stripe", x: place(x) - half, y: top, width: 2 * half, height: bottom - top }));
  svg.prepend(...rects);
}

// What would be if nothing else cost anything.
function idealSteps(svg, name, steps, across, up) {
  const half = 0.45 * across.nearest;
  const shown = steps.filter(([x]) => across.xs.includes(x));
  for (const [x, value] of shown) {
    const y = up.place(value);
    svg.append(drawing("line", { class: "base", x1: across.place(x) - half, x2: across.place(x) + half, y1: y, y2: y }));
  }
  const [x, value] = shown[shown.length - 1] ?? [0, 0];
  if (shown.length > 0) svg.append(label(across.place(x) + half, up.place(value) - 6, name, { class: "name", "text-anchor": "end" }));
}

// No line runs over a place where something is missing, and a point where some clients get nothing is no step of one.
function seriesLine(series, places, xs) {
  let [path, isOn] = ["", false];
  for (const place of xs) {
    const found = places.find(({ point }) => point.x === place && point.look !== "cross");
    if (found) path += `${isOn ? "L" : "M"}${found.x.toFixed(1)} ${found.y.toFixed(1)}`;
    isOn = Boolean(found);
  }
  const { class: dressed, ...rest } = dress(series.style, series.server);
  const dashes = series.style.dashes?.join(" ") ?? null;
  return drawing("path", { ...rest, class: `line ${dressed}`, d: path, "stroke-dasharray": dashes });
}
