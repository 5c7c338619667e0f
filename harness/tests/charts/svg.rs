//! An SVG as a reader sees it: where its texts are.

/// A text of an SVG: what it says and the box that it fills.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    size: f64,
}

/// Reads the `<text>` elements. Boxes are estimated: letters are rarely wider than 0.52 of their height.
pub(crate) fn labels(svg: &str) -> Vec<Label> {
    let mut labels = Vec::new();
    for element in svg.split("<text ").skip(1) {
        let (attributes, rest) = element.split_once('>').expect("the tag ends");
        let text = rest.split("</text>").next().unwrap_or_default().trim();
        let text =
            text.replace("&apos;", "'").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
        let attribute = |name: &str| {
            let at = attributes.find(&format!("{name}=\""))? + name.len() + 2;
            attributes[at..].split('"').next()
        };
        let number = |name: &str| attribute(name).and_then(|value| value.parse::<f64>().ok()).expect(name);
        let (x, y, size) = (number("x"), number("y"), number("font-size"));
        let length = text.chars().count() as f64 * size * 0.52;
        let start = match attribute("text-anchor") {
            Some("end") => -length,
            Some("middle") => -length / 2.0,
            _ => 0.0,
        };
        // plotters moves the base line by a number of em (the size) or ex (about half of it).
        let base = attribute("dy").map_or(0.0, |dy| {
            let number = dy.trim_end_matches(char::is_alphabetic).parse::<f64>().expect("a number");
            if dy.ends_with("ex") { number * 0.5 * size } else { number * size }
        });
        let (top, bottom) = (base - 0.75 * size, base + 0.2 * size);
        let turned = attributes.contains("rotate(270");
        let (left, right, top, bottom) = if turned {
            (x + top, x + bottom, y - start - length, y - start)
        } else {
            (x + start, x + start + length, y + top, y + bottom)
        };
        labels.push(Label { text, left, right, top, bottom, size });
    }
    labels
}

/// The lines in a colour such as `#0072B2`, with the corners of each. The outline of a marker, which ends
/// where it began, is none.
pub(crate) fn lines(svg: &str, colour: &str) -> Vec<Vec<(i32, i32)>> {
    let of_colour = |element: &&str| element.contains(&format!("stroke=\"{colour}\""));
    let corners = |element: &str| {
        let points =
            element.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("points");
        let number = |text: &str| text.parse().expect("a pixel");
        let corner = |point: &str| point.split_once(',').map(|(x, y)| (number(x), number(y))).expect("x,y");
        points.split_whitespace().map(corner).collect::<Vec<_>>()
    };
    let all = svg.split("<polyline ").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    all.filter(of_colour).map(corners).filter(|line| line.first() != line.last()).collect()
}

/// Every text is large enough, on the picture, and lies on no other.
pub(crate) fn check(svg: &str, file: &str) {
    let labels = labels(svg);
    assert!(labels.len() > 6, "{}: {} texts", file, labels.len());
    let attribute = |name: &str| {
        let value = svg.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse::<f64>().ok()).expect("the picture has a size")
    };
    let (width, height) = (attribute("width"), attribute("height"));
    for (at, one) in labels.iter().enumerate() {
        assert!(one.size >= 13.99, "{}: too small: {one:?}", file);
        let inside = one.left >= 0.0 && one.right <= width && one.top >= 0.0 && one.bottom <= height;
        assert!(inside, "{}: off the picture: {one:?}", file);
        for other in &labels[at + 1..] {
            let apart = one.right <= other.left
                || other.right <= one.left
                || one.bottom <= other.top
                || other.bottom <= one.top;
            assert!(apart, "{}: one text lies on another:\n{one:?}\n{other:?}", file);
        }
    }
}
