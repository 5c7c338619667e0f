// The words around the figures.

const MAIN = document.querySelector("main");
const FRONT = DATA.front;

function links(files) {
  return files.flatMap((file, at) => [at > 0 ? ", " : "", element("a", { href: file }, file)]);
}

// The first screen: what was found, the designs, what cannot be told apart, the machine.
function buildHeader() {
  const { intro, findings, designs, alike, warnings, machine } = FRONT;
  const to = ({ id, title }) => element("a", { href: `#${id}` }, title);
  const more = [...(FRONT.claims ? [["claims", "The claims of the literature"]] : []), ["measured", "What was measured"], ["reading", "How to read"], ["machine", "The machine"], ["again", "Again"]];
  const nav = [...DATA.figures.map(to), ...more.map(([id, title]) => to({ id, title }))].flatMap((link) => [link, " "]);
  const lines = (texts) => element("ul", {}, ...texts.map((text) => element("li", {}, text)));
  const part = (title, ...parts) => [element("h2", {}, title), ...parts];
  const found = findings.map(({ text, figure, shown_in }) => element("li", {}, text, " ", element("a", { href: `#${figure}` }, shown_in)));
  document.querySelector("header").append(
    ...warnings.map((warning) => element("p", { class: "warning" }, warning)),
    element("p", {}, intro),
    ...(found.length > 0 ? [element("ol", { class: "findings" }, ...found)] : []),
    ...(designs ? [element("p", { class: "signs cue" }, WIDE), element("div", { class: "designs" }, textTable(designs.head, designs.rows)), element("p", { class: "note" }, designs.note)] : []),
    ...(alike.length > 0 ? part("What cannot be told apart", lines(alike)) : []),
    ...part("The machine", lines(machine)),
    fold("All figures on this page", element("nav", {}, ...nav)),
  );
}

function fold(title, ...parts) {
  return element("details", {}, element("summary", {}, title), ...parts);
}

// The place of a figure, with its words.
function figurePlace({ id, title, finding, about, notes, whiskers, subtitle, data, command, plot }) {
  const lines = (texts, name) => texts.filter(Boolean).map((text) => element("p", { class: name }, text));
  const picture = `${id}.svg`;
  const table = fold("The figures", element("div", { class: "figures" }));
  const caption = element("figcaption", {}, ...lines(subtitle.filter((line) => !line.startsWith("Data:"))));
  caption.append(element("p", {}, "Data: ", ...links(data), ". Picture: ", ...links([picture]), ". Drawn again by ", element("code", {}, command)));
  const part = (name, hidden = false) => element("div", { class: name, hidden });
  return element("figure", { "data-figure": id, id }, element("h2", {}, title), ...lines([finding], "finding"),
    part("switches"), part("canvas"), part("gaps"), ...lines([about, ...notes, whiskers], "note"), part("record", true),
    ...(plot.form === "points" ? [table] : []), caption);
}

// What became dearer or cheaper since an earlier commit.
function thenSection() {
  const { then } = FRONT;
  const rows = () => fold("By server", textTable(["server", "then", "now", "change"], then.rows));
  return then ? [element("section", { id: "then" }, element("h2", {}, "Then and now"), element("p", {}, then.text), rows())] : [];
}

// What became of the claims of the literature; without a ledger nothing is said of them.
function claimsSection() {
  const { claims } = FRONT;
  return claims ? [element("section", { id: "claims" }, element("h2", {}, "The claims of the literature"),
    element("p", {}, claims.text, " ", element("a", { href: claims.page }, "Their figures"), "."), textTable(claims.head, claims.rows))] : [];
}

// A row for each file: nothing is said over several of them.
function measuredSection() {
  const { columns, files } = FRONT;
  const note = "Disturbed: measurements during which other programs used more than a tenth of a CPU.";
  return element("section", { id: "measured" }, element("h2", {}, "What was measured, when and how"), textTable(columns, files), element("p", {}, note),
    element("ul", {}, ...FRONT.states.map((state) => element("li", {}, state))));
}

// A table for each machine, or each state of one, that there are records of.
function machineSection() {
  const machines = FRONT.machines.map(([file, rows]) => fold(`of ${file}`, textTable(["", ""], rows)));
  return element("section", { id: "machine" }, element("h2", {}, "The machine"), ...machines);
}

// What the stages are compared with, and how it was configured.
function referencesSection() {
  const others = DATA.servers.filter((server) => server.kind !== "stage");
  const parts = others.flatMap(({ label, title, configuration }) => {
    const text = configuration && element("details", {}, element("summary", {}, "Its configuration"), element("pre", {}, configuration));
    return [element("h3", {}, label), element("p", {}, title), ...(text ? [text] : [])];
  });
  return others.length > 0 ? [element("section", { id: "references" }, element("h2", {}, "The references"), ...parts)] : [];
}

function againSection() {
  const files = [...new Set(DATA.figures.flatMap((figure) => figure.data))];
  return element("section", { id: "again" }, element("h2", {}, "Again"),
    element("p", {}, "The data: ", ...links(files), ", one JSON object a line; nothing on this page comes from elsewhere."),
    element("p", {}, "The page and its charts, from the recorded data:"), element("pre", {}, FRONT.again),
    element("p", {}, "The measuring, at the commit that is named above:"), element("pre", {}, FRONT.measure.join("\n")));
}

function buildDocument() {
  buildHeader();
  MAIN.prepend(...DATA.figures.map(figurePlace));
  const reading = document.getElementById("reading");
  for (const section of [...claimsSection(), ...thenSection(), measuredSection()]) MAIN.insertBefore(section, reading);
  MAIN.append(machineSection(), ...referencesSection(), againSection());
}
