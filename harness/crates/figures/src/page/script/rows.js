// A row per server: its name, its marks, its figures. On a narrow page the figures stand below the marks.

function drawRows(figure, view, points, width, logarithmic) {
  const { plot } = figure;
  const narrow = width < NARROW;
  const rows = linesOf(plot, points);
  const names = rows.map(({ series }) => (narrow ? series.server || series.label : series.label));
  const figures = rows.map((row) => (plot.figures ? rowFigures(plot, row.points) : ""));
  const marked = view.measures.length;
  const height = Math.max(30, 16 * marked + 6) + (narrow && plot.figures ? 16 : 0);
  const left = Math.min(widest(names), width * 0.35, 240) + 20;
  const right = width - (narrow || !plot.figures ? 34 : Math.min(widest(figures), width * 0.4, 340) + 20);
  const legend = marked > 1 ? measureLegend(plot, view, width) : { height: 0, nodes: [] };
  const box = { left, right, top: 14 + legend.height, bottom: 20 + legend.height + height * rows.length };
  const svg = frame(figure, view, width, box.bottom + 46);
  svg.append(...legend.nodes);
  const { axis } = plot.measures[view.measures[0]];
  const references = plot.references.flatMap((reference) => (reference.line === undefined ? [] : [reference.line]));
  const scale = valueScale([...ends(points), ...references], axis.scale, logarithmic, [left, right]);
  compare(svg, plot, rows, scale, box);
  rowAxis(svg, axis, scale, box, width, logarithmic);
  const marks = drawing("g", { class: "marks" });
  rows.forEach(({ series, points: its }, at) => {
    const top = box.top + height * at;
    const middle = top + (narrow ? 8 * marked + 6 : height / 2);
    const place = narrow ? [left, top + height - 8] : [right + 12, middle + 4];
    svg.append(label(left - 10, middle + 4, cut(names[at], left - 14), { class: "name", "text-anchor": "end" }));
    if (figures[at]) svg.append(label(...place, cut(figures[at], width - place[0] - 2), { class: "value" }));
    for (const point of its) {
      const y = middle + (view.measures.indexOf(point.measure) - (marked - 1) / 2) * 16;
      const style = marked > 1 ? plot.measures[point.measure].style : series.style;
      const whisker = point.interval && [point.interval.low, point.interval.high].map((end) => [scale.place(end), y]);
      const index = points.indexOf(point);
      const isBar = plot.bars && !logarithmic;
      marks.append(isBar
        ? bar(index, style, series, point.look, [scale.place(0), scale.place(point.value), y], whisker)
        : mark(index, style, series, point.look, [scale.place(point.value), y], whisker, 0.9));
    }
  });
  svg.append(marks);
  return svg;
}

// `1.06 (1.02 to 1.07), not distinguishable`; `silent 176 B, served 352 B`
function rowFigures(plot, points) {
  const texts = points.map((point) => {
    const { name, axis } = plot.measures[point.measure];
    const value = format(point.value, axis.unit);
    if (points.length > 1) return `${name} ${value}`;
    return point.interval && !plot.bars ? `${value} (${intervalName(point, axis.unit)})` : value;
  });
  const aside = points.map((point) => point.aside).find(Boolean);
  return [...texts, aside].filter(Boolean).join(", ");
}

// What the marks of several measures are called.
function measureLegend(plot, view, width) {
  const nodes = [];
  let [x, y] = [8, 12];
  for (const at of view.measures) {
    const { says, style } = plot.measures[at];
    if (x > 8 && x + 24 + textWidth(says) > width) [x, y] = [8, y + 20];
    const symbol = drawing("g", dress(style), shape(style, "filled", 0.9));
    symbol.setAttribute("transform", `translate(${x + 6} ${y})`);
    nodes.push(symbol, label(x + 20, y + 4, cut(says, width - x - 24), { class: "name" }));
    x += 20 + textWidth(says) + 22;
  }
  return { height: y + 14, nodes };
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

// What the rows are compared with, as long as what it is from is there.
function compare(svg, plot, rows, scale, box) {
  const hasFloor = rows.some(({ series }) => series.server === "floor");
  for (const { line, band } of plot.references) {
    if (band && hasFloor) {
      const [low, high] = band.map(scale.place);
      svg.append(drawing("rect", { class: "band", x: low, y: box.top, width: Math.max(1, high - low), height: box.bottom - box.top }));
    }
    if (line !== undefined) {
      svg.append(drawing("line", { class: "base", x1: scale.place(line), x2: scale.place(line), y1: box.top, y2: box.bottom }));
    }
  }
}
