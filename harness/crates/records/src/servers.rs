//! How every table and chart names the servers, and in which order.

/// What everything is compared with.
pub const FLOOR: &str = "floor";

/// Whether it is a stage or a twin: `05`, `05-mio`. The others are references, or not of the lab.
fn is_of_the_lab(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether it is there to be compared with.
pub fn is_reference(name: &str) -> bool {
    !is_of_the_lab(name)
}

/// The floor first, then the stages in order, then the references.
pub fn order(name: &str) -> (u8, &str) {
    let group = match name {
        FLOOR => 0,
        _ if is_of_the_lab(name) => 1,
        _ => 2,
    };
    (group, name)
}

/// A server as a table or a chart names it.
pub fn label(name: &str, title: &str) -> String {
    match name {
        FLOOR => format!("{name}: {title}"),
        _ if is_of_the_lab(name) => format!("{name} {title}"),
        _ if title.is_empty() || title.starts_with(name) => format!("reference: {name}"),
        _ => format!("reference: {name}, {title}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stand_after_the_stages_and_are_named_as_such() {
        let mut names = ["nginx", "05-mio", "floor", "12", "05", "h2o"];
        names.sort_by_key(|name| order(name));
        assert_eq!(names, ["floor", "05", "05-mio", "12", "h2o", "nginx"]);
        assert_eq!(label("05", "Edge"), "05 Edge");
        assert_eq!(label("floor", "the kernel's own cost"), "floor: the kernel's own cost");
        assert_eq!(label("nginx", "nginx 1.22"), "reference: nginx");
    }
}
