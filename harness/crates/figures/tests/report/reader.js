// A reader: clicks, points, types, and writes down what it saw; see main.rs.
"use strict";
const seen = {};
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const plot = (id) => document.getElementById(id);
const marks = (id, server) => all(`.canvas .mark${server ? `[data-server="${server}"]` : ""}`, plot(id));
const click = (selector) => document.querySelector(selector).click();
const ticks = (id) => all(".canvas .tick.y", plot(id)).map((text) => text.textContent);
const places = (id) => marks(id).map((mark) => mark.lastChild.getAttribute("transform"));
const different = (a, b) => JSON.stringify(a) !== JSON.stringify(b);
const server = (name) => `#legend input[data-server="${name}"]`;
const servers = () => new Set(marks("speed").map((mark) => mark.dataset.server)).size;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function switchServers() {
  seen["lines on speed"] = all(".canvas .line", plot("speed")).length;
  seen["marks on speed"] = marks("speed").length;
  seen["marks of 04 on speed"] = marks("speed", "04").length;
  click(server("04"));
  seen["marks of 04 when it is off"] = marks("speed", "04").length;
  seen["marks of 05 when 04 is off"] = marks("speed", "05").length;
  seen["04 is off on every chart"] = all(".canvas [data-server='04']").length === 0;
  seen["the view is in the address"] = location.hash === "#hide=04";
  click(server("04"));
  seen["marks of 04 when it is on again"] = marks("speed", "04").length;
  for (const group of ["None", "Only stages", "Only references", "All"]) {
    click(`#legend button[data-show="${group}"]`);
    seen[`servers with ${group}`] = servers();
  }
}

function switchAxes() {
  const before = [ticks("speed"), places("speed")];
  click('#speed input[data-log="speed"]');
  seen["another axis has other numbers"] = different(before[0], ticks("speed"));
  seen["another axis has other places"] = different(before[1], places("speed"));
  lookForCollisions();
  click('#speed input[data-log="speed"]');
  seen["back on the first axis all is as before"] = !different(before, [ticks("speed"), places("speed")]);
  click('#speed input[value="ab"]');
  seen["another tool has other places"] = different(before[1], places("speed"));
  click('#speed input[value="wrk"]');
}

async function followAddress() {
  location.hash = "hide=01+floor&speed.axis=log&latency.share=50+%25";
  await pause(50);
  const off = marks("speed", "01").length + marks("speed", "floor").length;
  const share = document.querySelector("#latency input:checked").value;
  const boxes = [server("01"), server("floor")].map((box) => document.querySelector(box).checked);
  seen["the address brings the view back"] =
    off === 0 && share === "50 %" && document.querySelector("[data-log=speed]").checked && !boxes.includes(true);
  location.hash = "";
  await pause(50);
}

// In the middle of the marker of 04 with 64 clients.
function middle(mark) {
  const box = mark.lastChild.getBoundingClientRect();
  return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
}

function askPoints() {
  const mark = marks("speed", "04")[2];
  mark.scrollIntoView({ block: "center" });
  const tip = document.getElementById("tip");
  mark.dispatchEvent(new PointerEvent("pointermove", middle(mark)));
  seen["what a point says"] = tip.hidden ? "" : tip.innerText;
  mark.dispatchEvent(new MouseEvent("click", middle(mark)));
  const panel = plot("speed").querySelector(".record");
  const rows = all("tr", panel).map((row) => [row.firstChild.textContent, row.children[1].textContent]);
  seen["record of a point"] = Object.fromEntries(rows);
  seen["line of a point"] = Number(seen["record of a point"].line);
  lookForWidth();
  panel.querySelector("[data-close]").click();
  const svg = plot("ratio").querySelector(".canvas svg");
  const press = (key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  press("ArrowDown");
  press("ArrowDown");
  const shown = !tip.hidden && tip.innerText.includes("02");
  press("Enter");
  const pinned = !plot("ratio").querySelector(".record").hidden;
  press("Escape");
  seen["the keyboard shows a point"] = shown && pinned && tip.hidden && plot("ratio").querySelector(".record").hidden;
}

function look() {
  seen.plots = all("figure[data-plot]").map((figure) => figure.id);
  const kind = (name, at) => marks("speed", name)[at].lastChild.getAttribute("class");
  seen["a generator's limit is hollow"] = kind("05", 2) === "hollow" && kind("04", 2) === "filled";
  seen["starving clients are a cross"] = kind("01", 2) === "cross" && kind("01", 0) === "filled";
  seen["a title is text and no markup"] =
    all("#legend label").some((label) => label.textContent.includes("<b>bold</b>")) && all("#legend label b b").length === 0;
  const notes = (id) => plot(id).querySelector(".gaps").innerText;
  const edge = [...places("idle")].map((place) => Number(place.match(/[\d.]+/)[0]));
  const ofZero = Number(marks("idle", "h2o")[0]?.lastChild.getAttribute("transform").match(/[\d.]+/)[0]);
  seen["nothing is at the edge of its axis and said so"] = ofZero === Math.min(...edge) && notes("idle").includes("h2o");
  seen["a rate that was not reached is said and not drawn"] =
    marks("latency", "06").length === 3 && notes("latency").includes("06 at 90 %");
  seen["a picture is in the page"] = all("figure.picture svg").length > 0;
  seen["links to data"] = [...new Set(all("figcaption a, .source a, #again a").map((link) => link.getAttribute("href")))];
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
