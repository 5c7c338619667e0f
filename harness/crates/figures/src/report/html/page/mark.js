// Texts and marks of the charts.

// How wide a text is, in pixels.
const RULER = document.createElement("canvas").getContext("2d");
RULER.font = "13px system-ui, sans-serif";

function textWidth(text) {
  return Math.ceil(RULER.measureText(text).width);
}

function widest(texts) {
  return Math.max(...texts.map(textWidth));
}

function cut(text, room) {
  if (textWidth(text) <= room) return text;
  let length = text.length;
  while (length > 0 && textWidth(`${text.slice(0, length)}…`) > room) length -= 1;
  return `${text.slice(0, length)}…`;
}

function label(x, y, text, attributes = {}) {
  return drawing("text", { x, y, ...attributes }, text);
}

// The colours of a server, on white and on black.
function dress(server) {
  const { name, colour } = DATA.servers[server];
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const isGrey = parts.every((part) => part === parts[0]);
  const dark = isGrey ? `rgb(${parts.map((part) => 255 - part * 0.9).join(",")})` : colour;
  return { "data-server": name, style: `--light:${colour};--dark:${dark}` };
}

function markerPath(server, size) {
  return `M${DATA.servers[server].marker.map(([x, y]) => `${x * size} ${y * size}`).join("L")}Z`;
}

function shape(server, look, size) {
  const d = look === "cross" ? `M${-6 * size} ${-6 * size}L${6 * size} ${6 * size}M${-6 * size} ${6 * size}L${6 * size} ${-6 * size}` : markerPath(server, size);
  return drawing("path", { class: look, d });
}

function mark(index, point, [x, y], whisker, size) {
  const group = drawing("g", { class: "mark", ...dress(point.server), "data-point": index });
  if (whisker) group.append(whiskerPath(whisker));
  const symbol = shape(point.server, point.look, size);
  symbol.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  group.append(symbol);
  return group;
}

function whiskerPath([[x1, y1], [x2, y2]]) {
  const [dx, dy] = x1 === x2 ? [4, 0] : [0, 4];
  const end = (x, y) => `M${x - dx} ${y - dy}L${x + dx} ${y + dy}`;
  return drawing("path", { class: "whisker", d: `M${x1} ${y1}L${x2} ${y2}${end(x1, y1)}${end(x2, y2)}` });
}
