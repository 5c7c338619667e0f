// A row per server: its name, its marks, its words. On a narrow page the name and the words stand above the marks.

// Of a line of text on a narrow page.
const TEXT_LINE = 18;

function drawRows(figure, at, points, width, logarithmic, { series: shown, slots }) {
  const { plot } = figure;
  const panel = plot.panels[at];
  const narrow = width < NARROW;
  const rows = shown.map((series) => {
    const its = points.filter((point) => plot.series[point.series] === series);
    const words = its.map((point) => point.text).filter(Boolean).join(", ");
    return { series, points: its, words: its.length === 0 && narrow ? whyNot(plot, series, at) : words };
  });
  const names = rows.map(({ series }) => series.label);
  const words = rows.map((row) => row.words);
  const hasWords = words.some(Boolean);
  // One line of text where each row's name and words fit beside each other.
  const isOneLine = rows.every((row, number) => textWidth(names[number]) + textWidth(row.words) + 28 <= width);
  const textHeight = narrow ? TEXT_LINE * (isOneLine ? 1 : 2) : 0;
  const height = Math.max(narrow ? 22 : 30, 16 * slots + 6) + textHeight;
  const left = narrow ? 26 : Math.min(widest(names), width * 0.35, 240) + 20;
  const right = width - (narrow || !hasWords ? 34 : Math.min(widest(words), width * 0.4, 340) + 20);
  const legend = marksLegend(plot.marks, width);
  const box = { left, right, top: 14 + legend.height, bottom: 20 + legend.height + height * rows.length };
  const all = values(plot, panel, points);
  const isLogarithmic = isLog(panel, logarithmic, all);
  const axisLines = wrapped(axisName(panel.axis, isLogarithmic), AXIS_ROOM * width);
  const svg = frame(figure, at, width, box.bottom + 28 + 18 * axisLines.length);
  rows.forEach((_, row) => {
    if (row % 2 === 0) svg.append(drawing("rect", { class: "stripe", x: 0, y: box.top + height * row, width, height }));
  });
  svg.append(...legend.nodes);
  const scale = valueScale(all, isLogarithmic, [left, right]);
  rowAxis(svg, panel.axis, scale, box, width, axisLines);
  compare(svg, panel, scale, box);
  const marks = drawing("g", { class: "marks" });
  rows.forEach((row, number) => {
    const top = box.top + height * number;
    const middle = top + textHeight + (height - textHeight) / 2;
    if (narrow) wordsAbove(svg, { name: names[number], words: row.words, top, width, isOneLine, isEven: number % 2 === 0, height: textHeight });
    else wordsBeside(svg, { name: names[number], words: row.words, middle, left, right, width, isEven: number % 2 === 0 });
    if (row.points.length === 0 && !narrow) svg.append(label(left + 8, middle + 4, cut(whyNot(plot, row.series, at), width - left - 10), { class: "value reason" }));
    for (const point of row.points) {
      const y = middle + (slots > 1 ? (point.mark - (slots - 1) / 2) * 16 : 0);
      const style = plot.marks[point.mark]?.style ?? row.series.style;
      const whisker = point.interval && [point.interval.low, point.interval.high].map((end) => [scale.place(end), y]);
      const index = points.indexOf(point);
      if (plot.dots) marks.append(...rounds(point, style, row.series, scale, y));
      const isBar = plot.bars && !isLogarithmic;
      marks.append(isBar
        ? bar(index, style, row.series, point.marker, [scale.place(0), scale.place(point.value), y], whisker)
        : mark(index, style, row.series, point.marker, [scale.place(point.value), y], whisker, 0.9));
    }
  });
  svg.append(marks);
  return svg;
}

// What a row is called, before its marks, and its words behind them.
function wordsBeside(svg, { name, words, middle, left, right, width, isEven }) {
  svg.append(label(left - 10, middle + 4, cut(name, left - 14), { class: "name", "text-anchor": "end" }));
  const from = right + 12;
  if (words) svg.append(label(from, middle + 4, cut(words, width - from - 2), { class: `value ${isEven ? "striped" : ""}` }));
}

// Both above the marks, on a ground that no line of the axis crosses.
function wordsAbove(svg, { name, words, top, width, isOneLine, isEven, height }) {
  svg.append(drawing("rect", { class: isEven ? "stripe" : "ground", x: 0, y: top, width, height }));
  svg.append(label(4, top + 14, cut(name, width - 8), { class: "name" }));
  const place = isOneLine ? [width - 4, top + 14] : [14, top + 14 + TEXT_LINE];
  const anchor = isOneLine ? "end" : "start";
  if (words) svg.append(label(...place, cut(words, width - 18), { class: "value reason", "text-anchor": anchor }));
}

// The rows of all pictures of a figure: each server that has a point on one of them, or the reason why it has none. Where
// no row has two marks, they stand in its middle.
function rowsOf(plot, points, drawable, panels) {
  const isHere = (point) => panels.includes(point.panel);
  const series = plot.series.filter((_, at) => points.some((point) => isHere(point) && point.series === at));
  const places = drawable.filter(isHere).map(({ panel, series: at }) => `${panel} ${at}`);
  const isOne = new Set(places).size === places.length;
  return { series, slots: isOne ? 1 : Math.max(1, plot.marks.length) };
}

function whyNot(plot, series, panel) {
  const why = plot.points.find((point) => plot.series[point.series] === series && point.panel === panel)?.note;
  if (!why) return "not measured";
  return why.startsWith("not ") ? why : `not measured: ${why}`;
}

// Every round, as a dot.
function rounds(point, style, series, scale, y) {
  const { class: dressed, ...rest } = dress(style, series.server);
  const its = point.records.map(([, , value]) => value).filter(isNumber);
  return its.map((value) => drawing("circle", { ...rest, class: `dot ${dressed}`, cx: scale.place(value), cy: y, r: 3.5 }));
}

// What marks are called: those of one row, or those of a line each.
function marksLegend(marks, width) {
  const nodes = [];
  let [x, y] = [8, 12];
  for (const { label: words, style } of marks) {
    if (x > 8 && x + 24 + textWidth(words) > width) [x, y] = [8, y + 20];
    const symbol = drawing("g", dress(style), shape(style, "filled", 0.9));
    symbol.setAttribute("transform", `translate(${x + 6} ${y})`);
    nodes.push(symbol, label(x + 20, y + 4, cut(words, width - x - 24), { class: "name" }));
    x += 20 + textWidth(words) + 22;
  }
  return { height: nodes.length > 0 ? y + 14 : 0, nodes };
}

function rowAxis(svg, axis, scale, { left, right, top, bottom }, width, lines) {
  for (const { text, x } of fittingTicks(scale, axis.unit, right - left)) {
    svg.append(drawing("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }));
    svg.append(label(x, bottom + 18, text, { class: "tick y", "text-anchor": "middle" }));
  }
  lines.forEach((text, at) => svg.append(label(width - 4, bottom + 40 + 18 * at, text, { class: "axis", "text-anchor": "end" })));
}

// As many numbers as stand beside each other without touching.
function fittingTicks(scale, unit, room) {
  let labels = [];
  for (let most = Math.max(2, Math.floor(room / 40)); most >= 2; most -= 1) {
    const ticks = scale.ticks(most);
    labels = ticks.map((tick) => ({ text: formatTick(tick, unit, ticks), x: scale.place(tick) }));
    const half = ({ text }) => textWidth(text) / 2;
    if (labels.every((one, at) => at === 0 || one.x - half(one) >= labels[at - 1].x + half(labels[at - 1]) + 10)) break;
  }
  return labels;
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
