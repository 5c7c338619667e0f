"use strict";
// A chart of the last minute as SVG: axes with units, one line (or one layer) for each series.

const WINDOW_MS = 60000;
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const colour = index => `var(--c${index % 4})`;
const dash = index => DASHES[index % 4];

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Few round numbers from 0 to at least `max`.
function ticks(max, whole) {
  const rough = Math.max(max, whole ? 2 : 1) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 2.5, 5, 10].find(factor => factor * power >= rough * 0.999) * power;
  if (whole) step = Math.max(1, Math.ceil(step));
  const found = [];
  for (let at = 0; at < max + step * 0.999 || found.length < 3; at += step) found.push(at);
  return found;
}

// Powers of ten around what there is.
function decades(min, max) {
  const found = [];
  const first = Math.floor(Math.log10(min)), last = Math.max(Math.ceil(Math.log10(max)), first + 1);
  for (let power = first; power <= last; power++) found.push(10 ** power);
  return found;
}

class Chart {
  // options: title, unit, format(value) -> text; series: names; and stacked, log, whole, wide.
  constructor(parent, options) {
    Object.assign(this, options);
    const figure = document.createElement("figure");
    figure.id = options.id;
    if (this.wide) figure.className = "wide";
    const caption = document.createElement("figcaption"), title = document.createElement("b");
    title.textContent = this.title;
    this.output = document.createElement("output");
    this.output.textContent = "–";
    caption.append(title, this.output);
    this.svg = svg("svg", { role: "img", "aria-label": this.title });
    figure.append(caption, this.svg);
    this.legend = document.createElement("ul");
    figure.append(this.legend);
    parent.append(figure);
    this.name(options.series);
  }

  name(series) {
    this.series = series;
    this.legend.replaceChildren();
    if (series.length < 2) return;
    for (const [index, name] of series.entries()) {
      const item = document.createElement("li"), mark = svg("svg", { width: 26, height: 8 });
      mark.append(svg("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: colour(index), "stroke-width": 2.5,
        "stroke-dasharray": dash(index) }));
      item.append(mark, name);
      this.legend.append(item);
    }
  }

  // points: [{ms, values: [number or null for each series]}], the newest last; text: the value in large.
  draw(points, text) {
    this.output.textContent = text;
    this.svg.setAttribute("aria-label", `${this.title}: ${text}`);
    const width = this.svg.clientWidth || 300, height = this.svg.clientHeight || 150;
    const left = 52, right = width - 8, top = 8, bottom = height - 18;
    const last = points.length ? points[points.length - 1].ms : 0;
    points = points.filter(point => last - point.ms <= WINDOW_MS);
    const sum = values => values.reduce((all, value) => all + (value || 0), 0);
    const seen = points.flatMap(point => this.stacked ? [sum(point.values)] : point.values)
      .filter(value => value !== null && (!this.log || value > 0));
    const marks = this.log
      ? decades(seen.length ? Math.min(...seen) : 10, seen.length ? Math.max(...seen) : 1000)
      : ticks(seen.length ? Math.max(...seen) : 0, this.whole);
    const low = marks[0], high = marks[marks.length - 1];
    const share = value => this.log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    const x = ms => right - (last - ms) / WINDOW_MS * (right - left);
    const y = value => bottom - share(value) * (bottom - top);
    const parts = [];
    for (const mark of marks) {
      parts.push(svg("line", { class: mark === low ? "axis" : "grid", x1: left, x2: right, y1: y(mark), y2: y(mark) }));
      parts.push(svg("text", { x: left - 5, y: y(mark) + 4, "text-anchor": "end" }, this.format(mark)));
    }
    for (const seconds of right - left < 130 ? [60, 0] : right - left < 200 ? [60, 30, 0] : [60, 40, 20, 0]) {
      const anchor = seconds === 0 ? "end" : seconds === 60 ? "start" : "middle";
      const label = seconds === 0 ? "now" : `−${seconds} s`;
      parts.push(svg("text", { x: x(last - seconds * 1000), y: height - 4, "text-anchor": anchor }, label));
    }
    const below = points.map(() => 0);
    for (let index = 0; index < this.series.length; index++) {
      const stroke = { fill: "none", stroke: colour(index), "stroke-width": 1.8, "stroke-dasharray": dash(index) };
      let path = "", open = false;
      const floor = [...below];
      for (const [at, point] of points.entries()) {
        let value = point.values[index];
        if (this.stacked) value = below[at] += value || 0;
        if (value === null || value === undefined || this.log && value <= 0) { open = false; continue; }
        path += `${open ? "L" : "M"}${x(point.ms).toFixed(1)} ${y(value).toFixed(1)}`;
        open = true;
      }
      if (this.stacked && points.length > 1) {
        const back = points.map((point, at) => `L${x(point.ms).toFixed(1)} ${y(floor[at]).toFixed(1)}`).reverse();
        parts.push(svg("path", { d: `${path}${back.join("")}Z`, fill: colour(index), opacity: 0.25 }));
      }
      parts.push(svg("path", { d: path, ...stroke }));
    }
    this.svg.replaceChildren(...parts);
  }
}
