// What is behind a point: its records, and where each one stands.

// Record N of the page, with the file and the line that it is from.
function recordAt(number) {
  let first = 0;
  for (const file of DATA.files) {
    if (number < first + file.rows.length) {
      const row = file.rows[number - first];
      const own = file.columns.map((name, at) => [name, row[at] ?? null]);
      return { ...file.common, ...Object.fromEntries(own), file: file.file, line: number - first + 1 };
    }
    first += file.rows.length;
  }
  throw new RangeError(`there is no record ${number}`);
}

function serverName({ label }) {
  return label;
}

function commitName({ commit, dirty }) {
  return commit ? `commit ${commit}${dirty ? " with changes" : ""}` : "no commit";
}

function measuringCommand(record) {
  return `./lab ${record.command}${record.seed === 0 ? "" : ` --seed ${record.seed}`}`;
}

// `wrk, kept, 64 clients`
function loadName(plot, point) {
  const words = [point.series, ...plot.choices.map((choice, at) => choice.options[point.options[at]])].filter(Boolean);
  if (plot.form === "lines") words.push(`${format(point.x)}${plot.suffix} ${plot.suffix ? "load" : "clients"}`);
  return words.join(", ");
}

function intervalName({ interval }) {
  return interval ? `${format(interval[0])} to ${format(interval[1])}` : "one round";
}

// The short text beside a point.
function summary(plot, point) {
  const records = point.rounds.map(([number]) => recordAt(number));
  const first = records[0];
  const rounds = point.rounds.map(([, figure], at) => `${format(figure)} (line ${records[at].line})`);
  const lines = [
    `${plot.y}: ${format(point.y)}, ${intervalName(point)}`,
    point.note,
    `rounds: ${rounds.join(", ")}`,
    `data: ${first.file}`,
    `${commitName(first.host)}; seed ${first.seed}; begun ${first.started_at}`,
    measuringCommand(first),
    `${first.host.cpu}, ${first.host.cores} CPUs, Linux ${first.host.kernel}`,
  ];
  const title = element("b", {}, [serverName(DATA.servers[point.server]), loadName(plot, point)].filter(Boolean).join(" · "));
  return [title, ...lines.filter(Boolean).map((line) => element("div", {}, line))];
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
function recordTable(point) {
  const records = point.rounds.map(([number]) => flat(recordAt(number)));
  const names = [...new Set([...FIRST_FIELDS, ...records.flatMap((record) => Object.keys(record))])];
  const table = element("table");
  for (const name of names) {
    const values = records.map((record) => record[name] ?? null);
    if (values.every((value) => value === null)) continue;
    const texts = values.map((value) => (value === null ? "–" : String(value)));
    const cells = texts.every((one) => one === texts[0])
      ? [element("td", { colspan: texts.length, class: "same" }, texts[0])]
      : texts.map((one) => element("td", {}, one));
    table.append(element("tr", {}, element("th", { scope: "row" }, name), ...cells));
  }
  return table;
}

// Shown under the chart until it is closed.
function pinRecord(figure, plot, point) {
  const panel = figure.querySelector(".record");
  const close = element("button", { type: "button", "data-close": true }, "Close");
  close.addEventListener("click", () => unpinRecord(figure));
  const name = [serverName(DATA.servers[point.server]), loadName(plot, point)].filter(Boolean).join(" · ");
  panel.replaceChildren(
    element("h3", {}, `Records: ${name} `),
    close,
    element("p", {}, "Measured again by ", element("code", {}, measuringCommand(recordAt(point.rounds[0][0])))),
    element("div", { class: "wide", tabindex: 0 }, recordTable(point)),
  );
  panel.hidden = false;
}

function unpinRecord(figure) {
  const panel = figure.querySelector(".record");
  panel.hidden = true;
  panel.replaceChildren();
}

const TIP = document.getElementById("tip");

// Beside the point, but never outside the window.
function showTip(plot, point, mark) {
  TIP.replaceChildren(...summary(plot, point));
  TIP.hidden = false;
  const [box, tip] = [mark.getBoundingClientRect(), TIP.getBoundingClientRect()];
  const fits = box.bottom + 12 + tip.height < innerHeight;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.width / 2), innerWidth - tip.width - 8);
  TIP.style.left = `${Math.max(8, left)}px`;
  TIP.style.top = `${fits ? box.bottom + 12 : Math.max(8, box.top - 12 - tip.height)}px`;
}

function hideTip() {
  TIP.hidden = true;
}
