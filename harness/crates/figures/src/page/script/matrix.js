// What each server can do: servers in columns, probes in rows. A cell says what was seen.

const OUTCOMES = { pass: "·", starved: "S", wrong: "W", broken: "B", notapplicable: NONE, unknown: "?" };

function drawMatrix(place, figure, state) {
  const { columns, rows, cells, differing } = figure.plot;
  const shown = columns.map((_, at) => at).filter((at) => !state.hidden.has(columns[at][0]));
  const head = () => shown.map((at) => element("th", { scope: "col", title: columns[at][1] }, columns[at][0]));
  const body = rows.map((probe, row) => {
    const own = shown.map((at) => matrixCell(place, probe, columns[at], cells[row][at]));
    return element("tr", {}, element("th", { scope: "row" }, probe), ...own);
  });
  const table = (its) => element("div", { class: "wide", tabindex: 0 }, element("table", { class: "matrix" },
    element("thead", {}, element("tr", {}, element("th"), ...head())), element("tbody", {}, ...its)));
  const legend = Object.entries(OUTCOMES).slice(0, 5).map(([outcome, sign]) => `${sign} ${outcome.replace("notapp", "not app")}`);
  const signs = element("p", { class: "signs" }, [...legend, "framed: a declared flaw", "!: a surprise"].join(" · "));
  const cue = element("p", { class: "signs cue" }, WIDE);
  const alike = element("details", {}, element("summary", {}, `${rows.length - differing} probes pass everywhere`), table(body.slice(differing)));
  place.querySelector(".canvas").replaceChildren(signs, cue, table(body.slice(0, differing)), alike);
}

function matrixCell(place, probe, [name, title], cell) {
  if (!cell) return element("td");
  const isDeclared = !cell.surprise && !["pass", "notapplicable"].includes(cell.outcome);
  const sign = `${OUTCOMES[cell.outcome]}${cell.surprise ? " !" : ""}`;
  const button = element("button", { type: "button", class: `${cell.outcome} ${isDeclared ? "declared" : ""}`, "aria-label": `${probe}, ${name}: ${cell.words}` }, sign);
  const words = [element("b", {}, `${name} ${title} · ${probe}`), element("div", {}, `${cell.words}${cell.surprise ? ", not as declared" : isDeclared ? ", as declared" : ""}`), element("div", {}, cell.detail)];
  button.addEventListener("pointerenter", () => showBeside(button, words.map((part) => part.cloneNode(true))));
  button.addEventListener("pointerleave", hideTip);
  button.addEventListener("blur", hideTip);
  button.addEventListener("click", () => pin(place, `${name} · ${probe} `, [element("p", {}, cell.words), element("p", {}, cell.detail)]));
  return element("td", {}, button);
}
