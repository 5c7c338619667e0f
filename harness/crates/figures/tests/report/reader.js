// A reader: clicks, points, types, and writes down what it saw; see main.rs.
"use strict";
const WRK = "requests-per-second-wrk";
const RATIO = "what-each-idea-costs";
const LATENCY = "latency";
const SWITCHES = "context-switches";
const CLIENTS = "cost-by-clients";
const IDLE = "idle-memory";
const seen = {};
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const plot = (id) => document.getElementById(id);
const marks = (id, server) => all(`.canvas .mark${server ? `[data-server="${server}"]` : ""}`, plot(id));
const click = (selector) => document.querySelector(selector).click();
const ticks = (id) => all(".canvas .tick.y", plot(id)).map((text) => text.textContent);
const symbol = (mark) => mark.querySelector("path:not(.whisker)");
const places = (id) => marks(id).map((mark) => symbol(mark).getAttribute("transform"));
const different = (a, b) => JSON.stringify(a) !== JSON.stringify(b);
const server = (name) => `#legend input[data-server="${name}"]`;
const servers = () => new Set(marks(WRK).map((mark) => mark.dataset.server)).size;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function switchServers() {
  seen["lines on cost"] = all(".canvas .line", plot(CLIENTS)).length;
  seen["marks on speed"] = marks(WRK).length;
  seen["marks of 04 on speed"] = marks(WRK, "04").length;
  click(server("04"));
  seen["marks of 04 when it is off"] = marks(WRK, "04").length;
  seen["marks of 05 when 04 is off"] = marks(WRK, "05").length;
  seen["04 is off on every chart"] = all(".canvas [data-server='04']").length === 0;
  seen["the view is in the address"] = location.hash === "#hide=04";
  click(server("04"));
  seen["marks of 04 when it is on again"] = marks(WRK, "04").length;
  for (const group of ["None", "Only stages", "Only references", "All"]) {
    click(`#legend button[data-show="${group}"]`);
    seen[`servers with ${group}`] = servers();
  }
}

function switchAxes() {
  const before = [ticks(WRK), places(WRK)];
  click(`#${WRK} input[data-log="${WRK}"]`);
  seen["another axis has other numbers"] = different(before[0], ticks(WRK));
  seen["another axis has other places"] = different(before[1], places(WRK));
  lookForCollisions();
  click(`#${WRK} input[data-log="${WRK}"]`);
  seen["back on the first axis all is as before"] = !different(before, [ticks(WRK), places(WRK)]);
  seen["another tool has other places"] = different(before[1], places("requests-per-second-ab"));
  const switches = places(SWITCHES);
  const other = document.querySelector(`#${SWITCHES} input[value^="wrk, 256 clients"]`);
  other.click();
  seen["another panel has other places"] = different(switches, places(SWITCHES));
}

async function followAddress() {
  location.hash = `hide=01+floor&${WRK}.axis=log&latency.panel=p50%2C+GET+%2F`;
  await pause(50);
  const off = marks(WRK, "01").length + marks(WRK, "floor").length;
  const panel = document.querySelector("#latency input:checked").value;
  const boxes = [server("01"), server("floor")].map((box) => document.querySelector(box).checked);
  seen["the address brings the view back"] =
    off === 0 && panel === "p50, GET /" && document.querySelector(`[data-log=${WRK}]`).checked && !boxes.includes(true);
  location.hash = "";
  await pause(50);
}

// In the middle of the marker of 04 with 64 clients.
function middle(mark) {
  const box = symbol(mark).getBoundingClientRect();
  return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
}

function askPoints() {
  const mark = marks(WRK, "04")[2];
  mark.scrollIntoView({ block: "center" });
  const tip = document.getElementById("tip");
  mark.dispatchEvent(new PointerEvent("pointermove", middle(mark)));
  seen["what a point says"] = tip.hidden ? "" : tip.innerText;
  mark.dispatchEvent(new MouseEvent("click", middle(mark)));
  const panel = plot(WRK).querySelector(".record");
  const rows = all("tr", panel).map((row) => [row.firstChild.textContent, row.children[1].textContent]);
  seen["record of a point"] = Object.fromEntries(rows);
  seen["line of a point"] = Number(seen["record of a point"].line);
  lookForWidth();
  panel.querySelector("[data-close]").click();
  const svg = plot(RATIO).querySelector(".canvas svg");
  const press = (key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  press("ArrowDown");
  press("ArrowDown");
  const shown = !tip.hidden && tip.innerText.includes("01 Blocking echo");
  press("Enter");
  const pinned = !plot(RATIO).querySelector(".record").hidden;
  press("Escape");
  seen["the keyboard shows a point"] = shown && pinned && tip.hidden && plot(RATIO).querySelector(".record").hidden;
}

function look() {
  seen.plots = all("figure[data-figure]").map((figure) => figure.id);
  const kind = (name, at) => marks(WRK, name)[at].querySelector("path:not(.whisker)").getAttribute("class");
  seen["a generator's limit is hollow"] = kind("05", 2) === "hollow" && kind("04", 2) === "filled";
  seen["starving clients are a cross"] = kind("01", 2) === "cross" && kind("01", 0) === "filled";
  seen["a title is text and no markup"] =
    all("#legend label").some((label) => label.textContent.includes("<b>bold</b>")) && all("#legend label b b").length === 0;
  const notes = (id) => plot(id).querySelector(".gaps").innerText;
  const edge = [...places(IDLE)].map((place) => Number(place.match(/[\d.]+/)[0]));
  const ofZero = Number(symbol(marks(IDLE, "h2o")[0]).getAttribute("transform").match(/[\d.]+/)[0]);
  seen["nothing is at the edge of its axis and said so"] = ofZero === Math.min(...edge) && notes(IDLE).includes("h2o");
  seen["a rate that was not reached is said and not drawn"] =
    marks("latency", "06").length === 3 && notes("latency").includes("06 with") && notes("latency").includes("was not reached");
  seen["every figure is drawn"] = all("figure[data-figure]").every((figure) => figure.querySelector(".canvas svg, .canvas table"));
  seen["links to files"] = [...new Set(all("figcaption a, #again a").map((link) => link.getAttribute("href")))];
  seen["width of the window"] = innerWidth;
}

seen["texts that lie on others"] = 0;
seen["pixels that the page is too wide"] = 0;
seen.collisions = [];

function lookForWidth() {
  const page = document.documentElement;
  const wide = Math.max(0, page.scrollWidth - page.clientWidth);
  seen["pixels that the page is too wide"] = Math.max(seen["pixels that the page is too wide"], wide);
}

// Boxes of letters have room above and below; a third of it may be shared.
function lookForCollisions() {
  for (const svg of all(".canvas svg")) {
    const frame = svg.getBoundingClientRect();
    const boxes = all("text", svg).map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    boxes.forEach(({ text, box }, at) => {
      const off = box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 3;
      const hit = boxes.slice(at + 1).find(({ box: other }) => touches(box, other));
      if (off || hit) seen.collisions.push([svg.closest("figure").id, text, off ? "off the chart" : hit.text]);
    });
  }
  seen["texts that lie on others"] = seen.collisions.length;
}

function touches(a, b) {
  const [across, down] = [1, 3];
  return a.left + across < b.right && b.left + across < a.right && a.top + down < b.bottom && b.top + down < a.bottom;
}

async function read() {
  look();
  lookForWidth();
  lookForCollisions();
  switchServers();
  switchAxes();
  await followAddress();
  askPoints();
}

read()
  .catch((error) => complaints.push(`reader: ${error.stack}`))
  .finally(() => {
    seen.complaints = complaints;
    const outcome = document.createElement("pre");
    outcome.id = "outcome";
    outcome.textContent = JSON.stringify(seen);
    document.body.append(outcome);
  });
