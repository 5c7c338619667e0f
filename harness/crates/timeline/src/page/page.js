"use strict";
const { lanes, events, steps, places } = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const states = new Set(["idle", "ask", "queued", "run", "wait", "sleep"]);
const moments = new Set(["connect", "send", "receive", "end", "close"]);
const ms = (at) => `${(at / 1000).toFixed(2)} ms`;
let step = -1;

// What an event says, with its lane in front.
function say(event) {
  const text = event.t || (event.k === "run" ? "runs" : event.n);
  const took = event.b > event.a && !moments.has(event.k) ? ` (${ms(event.b - event.a)})` : "";
  const label = event.n && (event.k === "wait" || event.k === "sleep") ? `${event.n}: ` : "";
  return `${lanes[event.l].name}: ${label}${text}${took}`;
}

// What each lane does at a time.
function statesAt(at) {
  const list = find("lanes").querySelector("dl");
  list.replaceChildren();
  lanes.forEach((lane, place) => {
    const here = events.filter((e) => e.l === place && states.has(e.k) && e.a <= at && (at < e.b || at === e.a));
    const texts = lane.kind === "queue" ? here.map((e) => e.t.split(";")[0]) : here.slice(-1).map((e) => (e.k === "run" ? "runs" : e.k === "wait" || e.k === "sleep" ? e.n : e.k === "ask" ? "waits for a reply" : e.t));
    const kind = here.length && lane.kind !== "queue" ? here[here.length - 1].k : "";
    const name = document.createElement("dt");
    const what = document.createElement("dd");
    name.textContent = lane.name;
    what.textContent = texts.join("; ") || (lane.kind === "queue" ? "empty" : lane.kind === "client" ? "not connected" : "–");
    what.className = kind === "run" ? "runs" : kind === "wait" || kind === "ask" ? "waits" : kind === "sleep" ? "sleeps" : "";
    list.append(name, what);
  });
  find("lanes").hidden = false;
}

function show(to) {
  step = Math.max(0, Math.min(steps.length - 1, to));
  const event = events[steps[step]];
  const time = document.createElement("b");
  time.textContent = ms(event.a);
  find("now").replaceChildren(time, ` · ${say(event)}`);
  find("count").textContent = `${step + 1} of ${steps.length}`;
  document.querySelectorAll(".on").forEach((shape) => shape.classList.remove("on"));
  document.querySelectorAll(`[data-e="${steps[step]}"]`).forEach((shape) => shape.classList.add("on"));
  find("figure").classList.add("stepping");
  for (const [name, all] of Object.entries(places)) {
    const cursor = document.querySelector(`svg.${name} .cursor`);
    cursor.setAttribute("x1", all[step]);
    cursor.setAttribute("x2", all[step]);
  }
  statesAt(event.a);
}

// The next step in a direction at which a client does or sees something.
function seek(direction) {
  for (let to = step + direction; to >= 0 && to < steps.length; to += direction) {
    if (moments.has(events[steps[to]].k)) return show(to);
  }
  show(direction > 0 ? steps.length - 1 : 0);
}

const actions = { first: () => show(0), before: () => seek(-1), back: () => show(step - 1), on: () => show(step + 1), next: () => seek(1), last: () => show(steps.length - 1) };
const keys = { Home: "first", PageUp: "before", ArrowLeft: "back", ArrowRight: "on", PageDown: "next", End: "last" };
for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", action);
document.addEventListener("keydown", (press) => {
  const id = keys[press.key];
  if (!id || press.ctrlKey || press.altKey || press.metaKey) return;
  // Elsewhere these keys scroll the page.
  const isScroll = press.key !== "ArrowLeft" && press.key !== "ArrowRight";
  if (isScroll && document.activeElement !== find("figure")) return;
  press.preventDefault();
  actions[id]();
});

const tip = find("tip");
const shapeOf = (target) => (target instanceof Element ? target.closest("[data-e]") : null);
find("figure").addEventListener("pointermove", (move) => {
  const shape = shapeOf(move.target);
  tip.hidden = !shape;
  if (!shape) return;
  tip.textContent = say(events[shape.dataset.e]);
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(move.clientX + 12, innerWidth - width - 8))}px`;
  tip.style.top = `${move.clientY + height + 24 < innerHeight ? move.clientY + 16 : move.clientY - height - 10}px`;
});
find("figure").addEventListener("pointerleave", () => (tip.hidden = true));
find("figure").addEventListener("click", (press) => {
  const shape = shapeOf(press.target);
  if (!shape) return;
  const event = Number(shape.dataset.e);
  const exact = steps.indexOf(event);
  const near = steps.findIndex((other) => events[other].a >= events[event].a);
  show(exact >= 0 ? exact : near);
});

for (const place of steps) {
  const item = document.createElement("li");
  item.textContent = `${ms(events[place].a)} · ${say(events[place])}`;
  find("all").append(item);
}
// A step in the address: page.html#12.
if (/^#\d+$/.test(location.hash)) show(Number(location.hash.slice(1)) - 1);
