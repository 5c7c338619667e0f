// What comes over the stream, as charts; and what the forms send back.

const short = value => value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M`
  : value >= 1e4 ? `${+(value / 1e3).toPrecision(3)}k`
  : value >= 100 ? String(Math.round(value)) : String(+value.toPrecision(2));
const time = us => us >= 1e6 ? `${+(us / 1e6).toPrecision(2)} s` : us >= 1e3 ? `${+(us / 1e3).toPrecision(2)} ms`
  : `${+us.toPrecision(2)} µs`;
const mebibytes = value => `${+value.toPrecision(3)} MiB`;
const perSecond = value => value === 0 ? "0" : `${short(value)}/s`;
const by = id => document.getElementById(id);

const charts = {};
function chart(id, options) {
  charts[id] = new Chart(by("charts"), { id, format: short, series: [""], ...options });
}
chart("requests", { title: "Requests", stacked: true, wide: true, format: perSecond });
chart("latency", { title: "From wake-up to reply", log: true, wide: true, format: time, series: ["median", "99 %", "longest"] });
chart("wake_ups", { title: "Wake-ups", format: perSecond });
chart("queue", { title: "Tasks queued", whole: true });
chart("connections", { title: "Connections", whole: true });
chart("timers", { title: "Timers alive", whole: true });
chart("memory", { title: "Memory", format: mebibytes });

let loops = 0, own = null, mayLoad = false, samples = [], arrived = null, interval = 500;
const points = [];

// The loops are known with the first figures.
function setLoops(count) {
  loops = count;
  // With more than four, a line for each could not be told apart: then one for all.
  const names = count <= 4 ? [...Array(count).keys()].map(index => `loop ${index}`) : ["all loops"];
  for (const id of ["requests", "wake_ups", "queue"]) charts[id].name(names);
  const select = by("sleep").elements.loop;
  select.replaceChildren(...[...Array(count).keys()].map(index => new Option(index === own ? `${index} (this page)` : index, index)));
  select.value = count > 1 && own === 0 ? 1 : 0;
  by("loops").replaceChildren(...[...Array(count).keys()].map(index => {
    const row = document.createElement("tr");
    for (let cell = 0; cell < 7; cell++) row.append(document.createElement("td"));
    const bar = document.createElement("span"), fill = document.createElement("i"), percent = document.createElement("span");
    bar.className = "bar";
    percent.className = "percent";
    fill.style.background = colour(count <= 4 ? index : 0);
    bar.append(fill);
    row.cells[2].className = "share";
    row.cells[2].append(bar, percent);
    row.cells[0].textContent = index === own ? `${index} (this page)` : index;
    return row;
  }));
}

const total = (workers, of) => workers.reduce((sum, worker) => sum + of(worker), 0);

function take(sample) {
  const before = samples[samples.length - 1];
  if (before && (sample.ms < before.ms || sample.workers.length !== before.workers.length)) {
    // Another server.
    samples = [];
    points.length = 0;
  }
  if (sample.workers.length !== loops) setLoops(sample.workers.length);
  samples.push(sample);
  samples = samples.filter(one => sample.ms - one.ms <= 2000);
  fill(sample.options);
  showLoad(sample.load);
  interval = sample.options.interval_ms;
  if (!before || samples.length < 2) return;
  const seconds = (sample.ms - before.ms) / 1000;
  const rate = name => sample.workers.map((worker, index) => (worker[name] - before.workers[index][name]) / seconds);
  points.push({ ms: sample.ms, sample, requests: rate("requests"), wake_ups: rate("wake_ups"), events: rate("events") });
  while (sample.ms - points[0].ms > WINDOW_MS + 1000) points.shift();
}

const merged = values => loops <= 4 ? values : [values.reduce((sum, value) => sum + value, 0)];
const line = of => points.map(point => ({ ms: point.ms, values: of(point) }));
const memory = sample => sample.memory === null ? null : sample.memory / 1048576;
const sum = values => values.reduce((all, value) => all + value, 0);

function draw() {
  const now = points[points.length - 1];
  if (!now) return;
  const { workers, latency_us: latency } = now.sample;
  charts.requests.draw(line(point => merged(point.requests)), `${short(sum(now.requests))}/s`);
  charts.wake_ups.draw(line(point => merged(point.wake_ups)), `${short(sum(now.wake_ups))}/s`);
  charts.queue.draw(line(point => merged(point.sample.workers.map(worker => worker.tasks))), short(total(workers, one => one.tasks)));
  charts.connections.draw(line(point => [total(point.sample.workers, one => one.connections)]), short(total(workers, one => one.connections)));
  charts.timers.draw(line(point => [total(point.sample.workers, one => one.timers)]), short(total(workers, one => one.timers)));
  charts.memory.draw(line(point => [memory(point.sample)]), now.sample.memory === null ? "–" : mebibytes(memory(now.sample)));
  charts.latency.draw(line(point => { const { p50, p99, max } = point.sample.latency_us; return [p50, p99, max]; }),
    latency.p99 === null ? "no event" : `99 %: ${time(latency.p99)}`);
  drawLoops(now);
}

function drawLoops(now) {
  const all = sum(now.requests);
  for (const [index, row] of [...by("loops").rows].entries()) {
    const worker = now.sample.workers[index], share = all > 0 ? now.requests[index] / all * 100 : 0;
    row.cells[2].querySelector("i").style.width = `${share}%`;
    row.cells[2].querySelector(".percent").textContent = `${Math.round(share)} %`;
    row.cells[3].textContent = short(now.requests[index]);
    row.cells[4].textContent = short(now.wake_ups[index]);
    row.cells[5].textContent = worker.tasks;
    row.cells[6].textContent = worker.connections;
    // Tasks wait, and it has not woken up since when?
    const since = points.findLast(point => point.wake_ups[index] > 0 || point.sample.workers[index].tasks === 0);
    const held = since ? (now.ms - since.ms) / 1000 : 0;
    row.cells[1].textContent = held > 0 ? `held up for ${held.toFixed(1)} s` : "runs";
    row.cells[1].className = held > 0 ? "held" : "";
  }
}

function showStatus() {
  if (arrived === null) return;
  const silent = performance.now() - arrived, status = by("status"), heard = `last heard ${(silent / 1000).toFixed(1)} s ago`;
  const isCut = stream.readyState !== EventSource.OPEN, isLate = isCut || silent > 3 * interval + 500;
  status.dataset.state = isLate ? "late" : "live";
  document.querySelector("main").classList.toggle("stale", isLate);
  if (isCut) {
    status.textContent = `${heard}: no connection to the server; tries again`;
  } else if (isLate) {
    status.textContent = `${heard}: the loop of this page is held up`;
  } else {
    const pages = samples[samples.length - 1].pages;
    status.textContent = `live; this page is on loop ${own}; ${pages === 1 ? "1 page is" : `${pages} pages are`} open`;
  }
}

// The fields of the options, unless the user is writing in one of them.
function fill(options) {
  const form = by("options");
  if (form.contains(document.activeElement) || form.dataset.changed) return;
  for (const [name, value] of Object.entries(options)) form.elements[name].value = value;
}

function showLoad(load) {
  for (const element of by("load").elements) element.disabled = !mayLoad || load.running !== (element.id === "stop");
  if (load.sent > 0) {
    const failed = load.failed > 0 ? `, ${load.failed} failed` : "";
    const reached = load.ms > 0 ? `${Math.round(load.answered / load.ms * 1000)}/s` : "…";
    say("load", `${load.running ? "runs" : "done"}: asked for ${load.rate}/s, reached ${reached}; ${load.sent} sent, ${load.answered} answered${failed}`);
  } else if (!mayLoad) {
    say("load", "Off: start the server with --dashboard-load.");
  }
}

function say(id, text, refused) {
  const answer = by(id).querySelector(".answer");
  answer.textContent = text;
  answer.classList.toggle("refused", Boolean(refused));
}

async function ask(id, name, values) {
  const asked = Date.now();
  try {
    const reply = await fetch(`/actions/${name}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values),
    });
    const text = (await reply.text()).trim();
    if (name === "sleep" && reply.ok) return showSleep(values.loop, asked + values.ms);
    say(id, text, !reply.ok);
  } catch {
    say(id, "the server does not answer", true);
  }
}

// The reply says that a loop will sleep, not that it has slept.
let waking;
function showSleep(loop, end) {
  const until = new Date(end).toLocaleTimeString(), left = end - Date.now();
  say("sleep", `loop ${loop} ${left > 0 ? "is" : "was"} asleep until ${until}`);
  clearTimeout(waking);
  if (left > 0) waking = setTimeout(showSleep, left + 1, loop, end);
}

function values(form) {
  const fields = [...new FormData(form)];
  return Object.fromEntries(fields.map(([name, value]) => [name, name === "path" ? value : Number(value)]));
}

for (const id of ["load", "sleep", "options"]) {
  by(id).addEventListener("submit", event => {
    event.preventDefault();
    delete by(id).dataset.changed;
    document.activeElement.blur();
    ask(id, id, values(by(id)));
  });
}
by("stop").addEventListener("click", () => ask("load", "stop", {}));
by("options").addEventListener("input", () => { by("options").dataset.changed = "yes"; });

// A phone is short.
by("options").querySelector("details").open = !matchMedia("(max-width: 640px)").matches;

const stream = new EventSource("/events");
stream.addEventListener("hello", event => {
  const hello = JSON.parse(event.data);
  [own, mayLoad, loops] = [hello.loop, hello.may_load, 0];
});
let drawn = false;
stream.addEventListener("message", event => {
  arrived = performance.now();
  take(JSON.parse(event.data));
  if (drawn) return;
  // Late figures come in a bunch: one picture for them.
  drawn = true;
  requestAnimationFrame(() => { drawn = false; draw(); showStatus(); });
});
setInterval(showStatus, 250);
addEventListener("resize", draw);
