// Pointing, touching and the keyboard do the same: choose the nearest point, show it, pin its records.
function listen(svg, figure, plot, points) {
  const marks = [...svg.querySelectorAll(".mark")];
  const pointOf = (node) => points[Number(node.dataset.point)];
  let current = null;
  const choose = (node) => {
    marks.forEach((other) => other.classList.toggle("chosen", other === node));
    current = node;
    if (node) showTip(plot, pointOf(node), node.lastChild);
    else hideTip();
  };
  svg.addEventListener("pointermove", (event) => choose(nearest(marks, event)));
  svg.addEventListener("pointerleave", () => choose(null));
  svg.addEventListener("blur", () => choose(null));
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && choose(current ?? marks[0]));
  svg.addEventListener("click", (event) => {
    const node = nearest(marks, event);
    if (node) pinRecord(figure, plot, pointOf(node));
  });
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && current) pinRecord(figure, plot, pointOf(current));
    else if (event.key === "Escape") [choose(null), unpinRecord(figure)];
    else if (event.key.startsWith("Arrow")) choose(neighbour(marks, current, event.key, pointOf));
    else return;
    event.preventDefault();
  });
}

function nearest(marks, { clientX, clientY }) {
  const reach = 26;
  let [best, least] = [null, reach];
  for (const node of marks) {
    const { left, top, width, height } = node.lastChild.getBoundingClientRect();
    const distance = Math.hypot(left + width / 2 - clientX, top + height / 2 - clientY);
    if (distance < least) [best, least] = [node, distance];
  }
  return best;
}

// Left and right along a line, up and down from server to server.
function neighbour(marks, current, key, pointOf) {
  if (!current) return marks[0];
  const at = marks.indexOf(current);
  if (key === "ArrowLeft" || key === "ArrowRight") return marks[at + (key === "ArrowRight" ? 1 : -1)] ?? current;
  const here = pointOf(current);
  const others = marks.map(pointOf);
  const down = key === "ArrowDown";
  const servers = others.map((point) => point.server).filter((server) => (down ? server > here.server : server < here.server));
  if (servers.length === 0) return current;
  const next = down ? Math.min(...servers) : Math.max(...servers);
  const same = marks.filter((node) => pointOf(node).server === next);
  const away = (node) => Math.abs(pointOf(node).x - here.x);
  return same.reduce((best, node) => (away(node) < away(best) ? node : best));
}
