// A line per series over a load. Panels of one axis have the same numbers, which hold `alike` points.

function drawLines(figure, at, points, width, logarithmic, alike) {
  const { plot } = figure;
  const panel = plot.panels[at];
  const narrow = width < NARROW;
  const lines = linesOf(plot, points);
  const all = values(plot, panel, alike);
  const isLogarithmic = isLog(panel, logarithmic, all);
  const upName = wrapped(axisName(panel.axis, isLogarithmic), AXIS_ROOM * width);
  const acrossName = wrapped(plot.x.label, AXIS_ROOM * width);
  const names = lines.map(({ series }) => series.name);
  // Long names stand above a narrow picture: behind the lines they would leave no room for these.
  const isAbove = narrow && widest(names) > 0.2 * width;
  const legend = marksLegend(isAbove ? lines.map(({ series: { name, style } }) => ({ label: name, style })) : [], width);
  const top = legend.height + 16 + 18 * upName.length;
  const bottom = top + (narrow ? 254 : 354);
  const box = { left: 0, right: width - 12, top, bottom };
  const height = bottom + 34 + 18 * acrossName.length;
  const up = valueScale(all, isLogarithmic, [box.bottom, box.top]);
  const ticks = up.ticks(8);
  const numbers = ticks.map((tick) => formatTick(tick, panel.axis.unit, ticks));
  box.left = widest(numbers) + 14;
  box.right -= isAbove ? 0 : widest(names) + 10;
  const svg = frame(figure, at, width, height);
  const across = xScale(plot, points, box);
  upName.forEach((text, line) => svg.append(label(4, legend.height + 16 + 18 * line, text, { class: "axis" })));
  svg.append(...legend.nodes);
  ticks.forEach((tick, number) => {
    const y = up.place(tick);
    svg.append(drawing("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
    svg.append(label(box.left - 8, y + 4, numbers[number], { class: "tick y", "text-anchor": "end" }));
  });
  xLabels(svg, plot, across, box);
  acrossName.forEach((text, line) => svg.append(label(width - 4, bottom + 44 + 18 * line, text, { class: "axis", "text-anchor": "end" })));
  for (const line of panel.lines) {
    const y = up.place(line);
    svg.append(drawing("line", { class: "base", x1: box.left, x2: box.right, y1: y, y2: y }));
  }
  const marks = drawing("g", { class: "marks" });
  // Lines first, so that no line covers a marker.
  const lasts = lines.map((line) => {
    const missed = plot.points.filter((point) => point.panel === at && !isDrawn(point) && plot.series[point.series] === line.series);
    const places = line.points.map((point) => ({ point, x: across.place(point.x), y: up.place(point.value) }));
    svg.append(seriesLine(line.series, places, missed));
    for (const { point, x, y } of places) {
      const whisker = point.interval && [point.interval.low, point.interval.high].map((end) => [x, up.place(end)]);
      marks.append(mark(points.indexOf(point), line.series.style, line.series, point.marker, [x, y], whisker, narrow ? 0.7 : 0.85));
    }
    return { name: line.series.name, y: places[places.length - 1].y };
  });
  if (!isAbove) lineNames(svg, lasts, box);
  svg.append(marks);
  return svg;
}

// The points of each series from left to right.
function linesOf(plot, points) {
  const lines = plot.series.map((series, at) => {
    const its = points.filter((point) => point.series === at).sort((a, b) => a.x - b.x);
    return { series, points: its };
  });
  return lines.filter((line) => line.points.length > 0);
}

// Behind the last points, moved apart where they would touch.
function lineNames(svg, lasts, { right, top, bottom }) {
  const names = [...lasts].sort((a, b) => a.y - b.y);
  // Not beside the numbers of the axis, which end where the names begin.
  const end = bottom + 2;
  const room = Math.min(17, (end - top) / names.length);
  let free = top;
  const places = names.map(({ y }, at) => {
    // The names below need their room too.
    const place = Math.min(Math.max(y + 4, free), end - room * (names.length - 1 - at));
    free = place + room;
    return place;
  });
  names.forEach(({ name }, at) => svg.append(label(right + 8, places[at], name, { class: "name" })));
}

function xScale(plot, points, { left, right }) {
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const [first, last] = [xs[0], xs[xs.length - 1]];
  const room = first < last ? (last / first) ** 0.04 : 2;
  const scale = logScale([first / room, last * room], [left, right]);
  return { xs, ...scale };
}

// Round numbers; where their names would touch, the first and the last stay.
function xLabels(svg, plot, { xs, place, ticks }, box) {
  const all = xs.length <= 15 ? xs : ticks(6);
  const labels = all.map((x) => ({ text: format(x, plot.x.unit), at: place(x) }));
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

// No line runs over a place where a value is missing, and a point where some clients get nothing is no step of one.
function seriesLine(series, places, missed) {
  let [path, isOn] = ["", false];
  const stops = missed.map((point) => ({ point, isStop: true }));
  for (const { point, x, y, isStop } of [...places, ...stops].sort((a, b) => a.point.x - b.point.x)) {
    const isStep = !isStop && point.marker !== "cross";
    if (isStep) path += `${isOn ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isOn = isStep;
  }
  const { class: dressed, ...rest } = dress(series.style, series.server);
  const dashes = series.style.dashes?.join(" ") ?? null;
  return drawing("path", { ...rest, class: `line ${dressed}`, d: path, "stroke-dasharray": dashes });
}
