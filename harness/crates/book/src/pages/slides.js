// One slide at a time; which one stands behind the # of the address, so that a reload stays there.
(() => {
    const slides = [...document.querySelectorAll("section")];
    const place = document.getElementById("place");
    let at = 0;
    const show = (to) => {
        at = Math.max(0, Math.min(slides.length - 1, to));
        slides.forEach((slide, index) => slide.classList.toggle("shown", index === at));
        slides[at].scrollTop = 0;
        place.textContent = `${at + 1} / ${slides.length}`;
        history.replaceState(null, "", `#${at + 1}`);
    };
    const named = () => show((parseInt(location.hash.slice(1), 10) || 1) - 1);
    document.documentElement.classList.add("deck");
    document.getElementById("before").addEventListener("click", () => show(at - 1));
    document.getElementById("next").addEventListener("click", () => show(at + 1));
    addEventListener("hashchange", named);
    addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        // On a question or a button these keys do what they always do.
        const own = event.target.closest("summary, button, a") !== null;
        const keys = {
            ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1,
            Home: -slides.length, End: slides.length,
            " ": own ? 0 : event.shiftKey ? -1 : 1,
        };
        if (event.key === "a" || event.key === "A") {
            const folds = [...document.querySelectorAll("details")];
            const open = folds.some((fold) => !fold.open);
            folds.forEach((fold) => { fold.open = open; });
        } else if (keys[event.key]) {
            event.preventDefault();
            show(at + keys[event.key]);
        }
    });
    // A click on an edge turns, unless it is on something that has a meaning of its own, or marked text.
    document.querySelector("main").addEventListener("click", (event) => {
        if (event.target.closest("a, summary, button, pre, table") || String(getSelection()) !== "") return;
        const where = event.clientX / innerWidth;
        if (where > 0.75) show(at + 1);
        if (where < 0.25) show(at - 1);
    });
    named();
})();
