// Texts and marks of the figures.

// How wide a text is, in pixels.
const RULER = document.createElement("canvas").getContext("2d");
RULER.font = "13px system-ui, sans-serif";

function textWidth(text) {
  return Math.ceil(RULER.measureText(text).width);
}

function widest(texts) {
  return Math.max(0, ...texts.map(textWidth));
}

function cut(text, room) {
  if (textWidth(text) <= room) return text;
  let length = text.length;
  while (length > 0 && textWidth(`${text.slice(0, length)}…`) > room) length -= 1;
  return `${text.slice(0, length)}…`;
}

// In lines that fit, cut between words.
function wrapped(text, room) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length > 0 && textWidth(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(cut(word, room));
  }
  return lines;
}

function label(x, y, text, attributes = {}) {
  return drawing("text", { x, y, ...attributes }, text);
}

// A colour on white and on black, with the server that it stands for.
function dress({ colour }, server = "") {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const isGrey = parts.every((part) => part === parts[0]);
  const dark = isGrey ? `rgb(${parts.map((part) => 255 - part * 0.9).join(",")})` : colour;
  return { "data-server": server, class: "dressed", style: `--light:${colour};--dark:${dark}` };
}

function shape({ shape: corners_ }, look, size) {
  const cross = `M${-6 * size} ${-6 * size}L${6 * size} ${6 * size}M${-6 * size} ${6 * size}L${6 * size} ${-6 * size}`;
  const corners = `M${corners_.map(([x, y]) => `${x * size} ${y * size}`).join("L")}Z`;
  return drawing("path", { class: look, d: look === "cross" ? cross : corners });
}

function mark(index, style, series, look, [x, y], whisker, size) {
  const symbol = shape(style, look, size);
  symbol.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  return marked(index, style, series, whisker ? [whiskerPath(whisker), symbol] : [symbol]);
}

// A bar from zero; what is said of its end is behind it.
function bar(index, style, series, look, [from, to, y], whisker) {
  const d = `M${from} ${y - 9}H${Math.max(from + 1, to).toFixed(1)}V${y + 9}H${from}Z`;
  const parts = [drawing("path", { class: `bar ${look === "cross" ? "pale" : look}`, d })];
  return marked(index, style, series, whisker ? [whiskerPath(whisker, "over"), ...parts].reverse() : parts);
}

function marked(index, style, series, parts) {
  const { class: dressed, ...rest } = dress(style, series.server);
  return drawing("g", { ...rest, class: `mark ${dressed}`, "data-point": index }, ...parts);
}

function whiskerPath([[x1, y1], [x2, y2]], name = "") {
  const [dx, dy] = x1 === x2 ? [4, 0] : [0, 4];
  const end = (x, y) => `M${x - dx} ${y - dy}L${x + dx} ${y + dy}`;
  return drawing("path", { class: `whisker ${name}`, d: `M${x1} ${y1}L${x2} ${y2}${end(x1, y1)}${end(x2, y2)}` });
}
