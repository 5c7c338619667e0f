// Pointing, touching and the keyboard do the same: choose the nearest point, show it, pin its records.
function listen(svg, place, figure, points) {
  const marks = [...svg.querySelectorAll(".mark")];
  const pointOf = (node) => points[Number(node.dataset.point)];
  let current = null;
  const choose = (node) => {
    marks.forEach((other) => other.classList.toggle("chosen", other === node));
    current = node;
    if (node) showTip(figure, pointOf(node), symbolOf(node));
    else hideTip();
  };
  svg.addEventListener("pointermove", (event) => choose(nearest(marks, event)));
  svg.addEventListener("pointerleave", () => choose(null));
  svg.addEventListener("blur", () => choose(null));
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && choose(current ?? marks[0]));
  svg.addEventListener("click", (event) => {
    const node = nearest(marks, event);
    if (node) pinRecord(place, figure, pointOf(node));
  });
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && current) pinRecord(place, figure, pointOf(current));
    else if (event.key === "Escape") [choose(null), unpinRecord(place)];
    else if (event.key.startsWith("Arrow")) choose(neighbour(marks, current, event.key, pointOf));
    else return;
    event.preventDefault();
  });
}

function symbolOf(node) {
  return node.querySelector("path:not(.whisker)");
}

function nearest(marks, { clientX, clientY }) {
  const reach = 22;
  let [best, least] = [null, reach];
  for (const node of marks) {
    const { left, right, top, bottom } = symbolOf(node).getBoundingClientRect();
    const [across, down] = [Math.max(left - clientX, 0, clientX - right), Math.max(top - clientY, 0, clientY - bottom)];
    // Of two markers that the pointer is on, the one whose middle is nearer.
    const distance = Math.hypot(across, down) + Math.hypot((left + right) / 2 - clientX, (top + bottom) / 2 - clientY) / 1000;
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
  const series = others.map((point) => point.series).filter((series) => (down ? series > here.series : series < here.series));
  if (series.length === 0) return current;
  const next = down ? Math.min(...series) : Math.max(...series);
  const same = marks.filter((node) => pointOf(node).series === next);
  const away = (node) => Math.abs(pointOf(node).x - here.x) + Math.abs(pointOf(node).mark - here.mark) / 100;
  return same.reduce((best, node) => (away(node) < away(best) ? node : best));
}
