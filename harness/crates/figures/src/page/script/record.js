// What is behind a point: its records, and where each one stands.

// A line of the file that a figure is from, counted from 0.
function recordAt(figure, [at, number]) {
  const file = DATA.files.find((one) => one.file === figure.data[at]);
  const row = file.rows[number];
  const own = file.columns.map((name, at) => [name, row[at] ?? null]);
  return { ...file.common, ...Object.fromEntries(own), file: file.file, line: number + 1 };
}

function commitName({ commit, dirty }) {
  return commit ? `commit ${commit}${dirty ? " with changes" : ""}` : "no commit";
}

function measuringCommand(record) {
  return `./lab ${record.command}${record.seed === 0 ? "" : ` --seed ${record.seed}`}`;
}

// `04 Non-blocking epoll · p99, 64 clients at once`
function pointName({ plot }, point) {
  const panel = plot.panels.length > 1 ? [plot.panels[point.panel].name] : [];
  const mark = plot.marks.length > 0 ? [plot.marks[point.mark].label] : [];
  const x = plot.x ? [`${format(point.x, plot.x.unit)} ${plot.x.label.replace(/ \(.*/, "")}`] : [];
  const load = [...panel, ...mark, ...x].join(", ");
  return [plot.series[point.series].label, load].filter(Boolean).join(" · ");
}

function intervalName({ interval, records }, unit) {
  if (!interval) return records.length > 0 ? "one round" : "";
  return `${format(interval.low, unit)} to ${format(interval.high, unit)}`;
}

// The short text beside a point.
function summary(figure, point) {
  const { axis } = figure.plot.panels[point.panel];
  const records = point.records.map((record) => recordAt(figure, record));
  const rounds = point.records.map(([, , value], at) => `${format(value, axis.unit)} (line ${records[at].line})`);
  const spread = point.interval ? ` (${point.interval.of})` : "";
  const interval = [intervalName(point, axis.unit)].filter(Boolean).map((words) => `, ${words}${spread}`);
  const lines = [`${axis.label}: ${format(point.value, axis.unit)}${interval.join("")}`, point.note, ...origin(records, rounds)];
  const title = element("b", {}, pointName(figure, point));
  return [title, ...lines.filter(Boolean).map((line) => element("div", {}, line))];
}

function origin([first], rounds) {
  if (!first) return [];
  return [
    `rounds: ${rounds.join(", ")}`,
    `data: ${first.file}`,
    `${commitName(first.host)}; seed ${first.seed}; begun ${first.started_at}`,
    measuringCommand(first),
    `${first.host.cpu}, ${first.host.cores} CPUs, Linux ${first.host.kernel}`,
  ];
}

// `host: {cpu: …}` as `host.cpu`, and so on downwards.
function flat(fields, prefix = "") {
  const entries = Object.entries(fields).flatMap(([name, value]) => {
    const isInner = value !== null && typeof value === "object" && !Array.isArray(value);
    return isInner ? Object.entries(flat(value, `${prefix}${name}.`)) : [[prefix + name, value]];
  });
  return Object.fromEntries(entries);
}

const FIRST_FIELDS = ["file", "line", "round", "started_at", "stage", "title", "phase", "tool", "concurrency", "keep_alive",
  "requests_per_second", "cpu_us_per_request", "limiter", "clients_served"];

// All fields of all rounds: a row per field, a column per round.
function recordTable(figure, point) {
  const records = point.records.map((record) => flat(recordAt(figure, record)));
  const names = [...new Set([...FIRST_FIELDS, ...records.flatMap((record) => Object.keys(record))])];
  const table = element("table");
  for (const name of names) {
    const values = records.map((record) => record[name] ?? null);
    if (values.every((value) => value === null)) continue;
    const texts = values.map((value) => (value === null ? NONE : String(value)));
    const cells = texts.every((one) => one === texts[0])
      ? [element("td", { colspan: texts.length, class: "same" }, texts[0])]
      : texts.map((one) => element("td", {}, one));
    table.append(element("tr", {}, element("th", { scope: "row" }, name), ...cells));
  }
  return table;
}

// Shown under the figure until it is closed.
function pinRecord(place, figure, point) {
  if (point.records.length === 0) return;
  const command = measuringCommand(recordAt(figure, point.records[0]));
  pin(place, `Records: ${pointName(figure, point)} `, [
    element("p", {}, "Measured again by ", element("code", {}, command)),
    element("div", { class: "wide", tabindex: 0 }, recordTable(figure, point)),
  ]);
}

function pin(place, title, parts) {
  const panel = place.querySelector(".record");
  const close = element("button", { type: "button", "data-close": true }, "Close");
  close.addEventListener("click", () => unpinRecord(place));
  panel.replaceChildren(element("h3", {}, title), close, ...parts);
  panel.hidden = false;
}

function unpinRecord(place) {
  const panel = place.querySelector(".record");
  panel.hidden = true;
  panel.replaceChildren();
}

const TIP = document.getElementById("tip");

// Beside the point, but never outside the window.
function showTip(figure, point, symbol) {
  showBeside(symbol, summary(figure, point));
}

function showBeside(node, parts) {
  TIP.replaceChildren(...parts);
  TIP.hidden = false;
  const [box, tip] = [node.getBoundingClientRect(), TIP.getBoundingClientRect()];
  const fits = box.bottom + 12 + tip.height < innerHeight;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.width / 2), innerWidth - tip.width - 8);
  TIP.style.left = `${Math.max(8, left)}px`;
  TIP.style.top = `${fits ? box.bottom + 12 : Math.max(8, box.top - 12 - tip.height)}px`;
}

function hideTip() {
  TIP.hidden = true;
}
