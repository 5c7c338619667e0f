// An excerpt stands as far in as in its file, and a narrow page has no room for that: takes off what all of its
// lines have. After highlight.js, which mdBook runs first.
for (const code of document.querySelectorAll("pre > code")) {
    const lines = code.textContent.split("\n").filter((line) => line.trim() !== "");
    const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length));
    if (!Number.isFinite(indent) || indent === 0) continue;
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    const spaces = new RegExp(`(^|\n) {${indent}}`, "g");
    let beginsLine = true;
    while (texts.nextNode()) {
        const node = texts.currentNode;
        const text = node.data;
        node.data = text.replace(spaces, (found, before) => (before === "" && !beginsLine ? found : before));
        if (text !== "") beginsLine = text.endsWith("\n");
    }
}
