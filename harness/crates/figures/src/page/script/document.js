// The words around the figures.

const MAIN = document.querySelector("main");

function links(files) {
  return files.flatMap((file, at) => [at > 0 ? ", " : "", element("a", { href: file }, file)]);
}

function buildHeader() {
  const { summary, warnings } = DATA.run;
  const to = ({ id, title }) => element("a", { href: `#${id}` }, title);
  const more = [["reading", "How to read"], ["machine", "The machine"], ["again", "Again"]].map(([id, title]) => to({ id, title }));
  const nav = [...DATA.figures.map(to), ...more].flatMap((link) => [link, " "]);
  const lines = warnings.map((warning) => element("p", { class: "warning" }, warning));
  document.querySelector("header").append(element("p", {}, summary), ...lines, element("nav", {}, ...nav));
}

// The place of a figure, with its words.
function figurePlace({ id, title, finding, about, notes, subtitle, data, command, plot }) {
  const lines = (texts, name) => texts.filter(Boolean).map((text) => element("p", { class: name }, text));
  const picture = `${id}.svg`;
  const table = element("details", {}, element("summary", {}, "The figures"), element("div", { class: "figures" }));
  const caption = element("figcaption", {}, ...lines(subtitle.filter((line) => !line.startsWith("Data:"))));
  caption.append(element("p", {}, "Data: ", ...links(data), ". Picture: ", ...links([picture]), ". Drawn again by ", element("code", {}, command)));
  const part = (name, hidden = false) => element("div", { class: name, hidden });
  return element("figure", { "data-figure": id, id }, element("h2", {}, title), ...lines([finding], "finding"), ...lines([about]),
    part("switches"), part("canvas"), part("gaps"), ...lines(notes, "note"), part("record", true),
    ...(plot.form === "points" ? [table] : []), caption);
}

// A table for each machine, or each state of one, that there are records of.
function machineSection() {
  const machines = DATA.run.machines.flatMap(([file, rows]) => {
    const body = rows.map(([what, value]) => element("tr", {}, element("th", { scope: "row" }, what), element("td", {}, value)));
    const title = DATA.run.machines.length > 1 ? [element("h3", {}, `of ${file}`)] : [];
    return [...title, element("div", { class: "wide" }, element("table", {}, element("tbody", {}, ...body)))];
  });
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
    element("p", {}, "The page and its charts, from the recorded data:"), element("pre", {}, DATA.run.again),
    element("p", {}, "The measuring, at the commit that is named above:"), element("pre", {}, DATA.run.measure.join("\n")));
}

function buildDocument() {
  buildHeader();
  MAIN.prepend(...DATA.figures.map(figurePlace));
  MAIN.append(machineSection(), ...referencesSection(), againSection());
}
