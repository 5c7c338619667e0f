// A row per server: its name, its marks, its words. On a narrow page the words stand below the marks.

function drawRows(figure, at, points, width, logarithmic) {
  const { plot } = figure;
  const panel = plot.panels[at];
  const narrow = width < NARROW;
  const rows = linesOf(plot, points);
  const names = rows.map(({ series }) => (narrow ? series.name : series.label));
  const words = rows.map((row) => row.points.map((point) => point.text).filter(Boolean).join(", "));
  const hasWords = words.some(Boolean);
  const marked = Math.max(1, plot.marks.length);
  const height = Math.max(30, 16 * marked + 6) + (narrow && hasWords ? 16 : 0);
  const left = Math.min(widest(names), width * 0.35, 240) + 20;
  const right = width - (narrow || !hasWords ? 34 : Math.min(widest(words), width * 0.4, 340) + 20);
  const legend = marksLegend(plot, width);
  const box = { left, right, top: 14 + legend.height, bottom: 20 + legend.height + height * rows.length };
  const svg = frame(figure, at, width, box.bottom + 46);
  svg.append(...legend.nodes);
  const all = values(plot, panel, points);
  const isLogarithmic = isLog(panel, logarithmic, all);
  const scale = valueScale(all, isLogarithmic, [left, right]);
  compare(svg, panel, scale, box);
  rowAxis(svg, panel.axis, scale, box, width, isLogarithmic);
  const marks = drawing("g", { class: "marks" });
  rows.forEach(({ series, points: its }, row) => {
    const top = box.top + height * row;
    const middle = top + (narrow && hasWords ? 8 * marked + 6 : height / 2);
    const place = narrow ? [left, top + height - 8] : [right + 12, middle + 4];
    svg.append(label(left - 10, middle + 4, cut(names[row], left - 14), { class: "name", "text-anchor": "end" }));
    if (words[row]) svg.append(label(...place, cut(words[row], width - place[0] - 2), { class: "value" }));
    for (const point of its) {
      const y = middle + (point.mark - (marked - 1) / 2) * 16;
      const style = plot.marks[point.mark]?.style ?? series.style;
      const whisker = point.interval && [point.interval.low, point.interval.high].map((end) => [scale.place(end), y]);
      const index = points.indexOf(point);
      if (plot.dots) marks.append(...rounds(point, style, series, scale, y));
      const isBar = plot.bars && !isLogarithmic;
      marks.append(isBar
        ? bar(index, style, series, point.marker, [scale.place(0), scale.place(point.value), y], whisker)
        : mark(index, style, series, point.marker, [scale.place(point.value), y], whisker, 0.9));
    }
  });
  svg.append(marks);
  return svg;
}

// Every round, as a dot.
function rounds(point, style, series, scale, y) {
  const { class: dressed, ...rest } = dress(style, series.server);
  const its = point.records.map(([, , value]) => value).filter(isNumber);
  return its.map((value) => drawing("circle", { ...rest, class: `dot ${dressed}`, cx: scale.place(value), cy: y, r: 3.5 }));
}

// What the marks of one row are called.
function marksLegend(plot, width) {
  const nodes = [];
  let [x, y] = [8, 12];
  for (const { label: words, style } of plot.marks) {
    if (x > 8 && x + 24 + textWidth(words) > width) [x, y] = [8, y + 20];
    const symbol = drawing("g", dress(style), shape(style, "filled", 0.9));
    symbol.setAttribute("transform", `translate(${x + 6} ${y})`);
    nodes.push(symbol, label(x + 20, y + 4, cut(words, width - x - 24), { class: "name" }));
    x += 20 + textWidth(words) + 22;
  }
  return { height: nodes.length > 0 ? y + 14 : 0, nodes };
}

function rowAxis(svg, axis, scale, { left, right, top, bottom }, width, logarithmic) {
  const ticks = scale.ticks(Math.max(2, Math.floor((right - left) / 70)));
  for (const tick of ticks) {
    const x = scale.place(tick);
    svg.append(drawing("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }));
    svg.append(label(x, bottom + 18, formatTick(tick, axis.unit, ticks), { class: "tick y", "text-anchor": "middle" }));
  }
  svg.append(label(width - 4, bottom + 40, cut(axisName(axis, logarithmic), AXIS_ROOM * width), { class: "axis", "text-anchor": "end" }));
}

// What the rows are compared with.
function compare(svg, { lines, band }, scale, { top, bottom }) {
  if (band) {
    const [low, high] = band.map(scale.place);
    svg.append(drawing("rect", { class: "band", x: low, y: top, width: Math.max(1, high - low), height: bottom - top }));
  }
  for (const line of lines) {
    svg.append(drawing("line", { class: "base", x1: scale.place(line), x2: scale.place(line), y1: top, y2: bottom }));
  }
}
