// One figure of values: what is chosen of it, what is missing, and its table.

const NARROW = 620;
// The name of an axis has larger letters than those that are measured.
const AXIS_ROOM = 0.88;

function drawFigure(place, figure, state) {
  const { plot } = figure;
  const own = state.figures[figure.id];
  const isOn = (server) => !state.hidden.has(server);
  hideTip();
  // A title names the load of the picture, which has no switch.
  const isOther = plot.choices.some(({ show }, at) => show === "first" && own.options[at] !== 0);
  const load = plot.choices.map(({ options }, at) => options[own.options[at]]).join(", ");
  place.querySelector("h2").textContent = isOther ? `${figure.title}; shown: ${load}` : figure.title;
  const views = viewsOf(plot, own);
  const inView = (point) => views.some((view) => belongs(point, view)) && isOn(plot.series[point.series].server);
  const points = plot.points.filter(inView);
  const isMissed = (point) => point.look === "missed";
  const isDrawn = (point) => !isMissed(point) && isNumber(point.value);
  const drawable = points.filter(isDrawn);
  const logarithmic = own.logarithmic && drawable.some((point) => point.value > 0);
  const zeros = logarithmic ? drawable.filter((point) => point.value <= 0) : [];
  const notes = [
    ["At the edge, since a logarithmic axis has no 0", zeros],
    ["Not drawn, since that is no figure", points.filter((point) => !isMissed(point) && !isDrawn(point))],
  ];
  const gaps = plot.gaps.filter((gap) => isOn(gap.server) && (gap.options.length === 0 || views.some((view) => same(gap.options, view.options))));
  const lines = [...missedLines(plot, points.filter(isMissed)), ...notes.flatMap(([what, its]) => pointLines(plot, what, its))];
  place.querySelector(".gaps").replaceChildren(...gapLines(gaps), ...lines);
  place.querySelector(".figures").replaceChildren(figuresTable(plot, points));
  const canvas = place.querySelector(".canvas");
  const width = Math.max(280, canvas.clientWidth);
  const shown = views.filter((view) => drawable.some((point) => belongs(point, view)));
  // Beside each other where there is room for it.
  const columns = shown.length > 1 && width > 900 ? shown.length : 1;
  canvas.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  const pictures = shown.map((view) => {
    const its = drawable.filter((point) => belongs(point, view));
    const draw = plot.x ? drawLines : drawRows;
    const svg = draw(figure, view, its, Math.floor(width / columns) - (columns - 1) * 8, logarithmic, drawable);
    listen(svg, place, figure, its);
    const title = shown.length > 1 ? [element("p", { class: "facet" }, view.title)] : [];
    return element("div", {}, ...title, svg);
  });
  const nothing = element("p", { class: "nothing" }, "Nothing of this was measured with the servers that are switched on.");
  canvas.replaceChildren(...(pictures.length > 0 ? pictures : [nothing]));
}

function same(one, other) {
  return one.length === other.length && one.every((option, at) => option === other[at]);
}

function belongs(point, view) {
  return view.measures.includes(point.measure) && same(point.options, view.options);
}

// The pictures that stand beside each other: options and measures of each.
function viewsOf(plot, { measure, options }) {
  let facets = [[]];
  plot.choices.forEach((choice, at) => {
    const its = choice.show === "beside" ? choice.options.map((_, option) => option) : [options[at]];
    facets = facets.flatMap((facet) => its.map((option) => [...facet, option]));
  });
  const all = plot.measures.map((_, at) => at);
  const drawn = all.filter((at) => plot.measures[at].drawn);
  const groups = measure !== null ? [[measure]] : plot.show === "beside" ? drawn.map((at) => [at]) : [drawn];
  const beside = (facet) => plot.choices.flatMap((choice, at) => (choice.show === "beside" ? [choice.says[facet[at]]] : []));
  const title = (facet, measures) => [...beside(facet), ...(groups.length > 1 ? [plot.measures[measures[0]].axis.label] : [])].join(", ");
  return facets.flatMap((facet) => groups.map((measures) => ({ options: facet, measures, title: title(facet, measures) })));
}

function ends(points) {
  return points.flatMap((point) => [point.value, ...(point.interval ? [point.interval.low, point.interval.high] : [])]);
}

function frame({ title }, view, width, height) {
  const name = [title, view.title].filter(Boolean).join(", ");
  const label = `${name}. Arrow keys go from point to point, Enter shows the records.`;
  return drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "application", tabindex: 0, "aria-label": label });
}

function axisName({ label }, logarithmic) {
  return label.includes("logarithmic") || !logarithmic ? label.replace(logarithmic ? "" : ", logarithmic", "") : `${label} (logarithmic)`;
}

function figuresTable(plot, points) {
  const several = plot.measures.length > 1 || plot.choices.length > 0;
  const head = ["server", ...(plot.x ? [plot.x.label] : []), ...(several ? ["what"] : []), "figure", "interval", "note"];
  const cells = (point) => {
    const { name, axis } = plot.measures[point.measure];
    const what = [name, ...plot.choices.map((choice, at) => choice.options[point.options[at]])].join(", ");
    const isMissed = point.look === "missed";
    return [
      plot.series[point.series].label,
      ...(plot.x ? [placeName(plot, point.x)] : []),
      ...(several ? [what] : []),
      isMissed ? NONE : format(point.value, axis.unit),
      isMissed ? NONE : intervalName(point, axis.unit),
      point.note ?? "",
    ];
  };
  const sorted = [...points].sort((a, b) => a.series - b.series || a.x - b.x || a.measure - b.measure);
  const row = (name, texts) => element("tr", {}, ...texts.map((text) => element(name, {}, text)));
  const body = sorted.map((point) => row("td", cells(point)));
  const table = element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...body));
  return element("div", { class: "wide", tabindex: 0 }, table);
}

function shortName(plot, point) {
  const { server, label } = plot.series[point.series];
  return plot.x && isNamed(plot.series[point.series]) ? label : server || label;
}

// A figure that there is not, with the reason: once for each server.
function missedLines(plot, points) {
  const reasons = new Map();
  for (const point of points) {
    const words = plot.x ? "the rate was not reached, so no latency is drawn" : point.note;
    const names = reasons.get(words) ?? new Map();
    const name = shortName(plot, point);
    names.set(name, new Set([...(names.get(name) ?? []), plot.x ? placeName(plot, point.x) : ""]));
    reasons.set(words, names);
  }
  return [...reasons].map(([words, names]) => {
    const list = [...names].map(([name, places]) => [name, [...places].join(", ")].filter(Boolean).join(" at "));
    return element("p", {}, `${list.join("; ")}: ${words}.`);
  });
}

// `At the edge, since a logarithmic axis has no 0: h2o.`
function pointLines(plot, what, points) {
  const names = new Set([...points].sort((a, b) => a.series - b.series).map((point) => {
    const place = plot.x ? ` at ${placeName(plot, point.x)}` : "";
    return shortName(plot, point) + place;
  }));
  return names.size === 0 ? [] : [element("p", {}, `${what}: ${[...names].join("; ")}.`)];
}

// `Not measured: 01, 03 with 64 clients (ab would hang with keep-alive)`
function gapLines(gaps) {
  const reasons = new Map();
  for (const gap of gaps) reasons.set(gap.reason, [...(reasons.get(gap.reason) ?? []), gap]);
  const list = (values) => [...new Set(values)].sort((a, b) => a - b).join(", ");
  return [...reasons].map(([reason, own]) => {
    const names = [...new Set(own.map((gap) => gap.name))];
    const workers = own.map((gap) => gap.workers).filter((count) => count !== null);
    const with_ = `${list(own.map((gap) => gap.clients))} clients${workers.length > 0 ? ` and ${list(workers)} workers` : ""}`;
    return element("p", {}, `Not measured: ${names.join(", ")} with ${with_} (${reason}).`);
  });
}
