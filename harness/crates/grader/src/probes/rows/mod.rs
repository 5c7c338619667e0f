//! The table of the probes, a file for each group.

mod end;
mod limits;
mod one_client;
mod peers;
mod several;
mod timeouts;

use super::probe::Probe;

/// The groups in the order of the table that `grade` prints: one client, several, misbehaving ones, the
/// machine's limits, timeouts, the end.
const GROUPS: [(&str, &[Probe]); 6] = [
    ("one-client", one_client::PROBES),
    ("several", several::PROBES),
    ("peers", peers::PROBES),
    ("limits", limits::PROBES),
    ("timeouts", timeouts::PROBES),
    ("end", end::PROBES),
];

/// Every probe, group by group.
pub const PROBES: &[Probe] = &joined::<{ number() }>();

const fn number() -> usize {
    let (mut number, mut group) = (0, 0);
    while group < GROUPS.len() {
        number += GROUPS[group].1.len();
        group += 1;
    }
    number
}

/// The probes of all groups in one array. A loop without an iterator, since only such a one is `const`.
const fn joined<const N: usize>() -> [Probe; N] {
    let mut all = [one_client::PROBES[0]; N];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let (name, probes) = GROUPS[group];
        let mut index = 0;
        while index < probes.len() {
            all[at] = Probe { group: name, ..probes[index] };
            (at, index) = (at + 1, index + 1);
        }
        group += 1;
    }
    all
}

/// The names of the groups.
pub fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name)
}

/// The probes of this name: one, or those of a group.
pub fn select(name: &str) -> anyhow::Result<Vec<&'static Probe>> {
    let group: Vec<&Probe> = PROBES.iter().filter(|probe| probe.group() == name).collect();
    if !group.is_empty() {
        return Ok(group);
    }
    let groups = groups().collect::<Vec<_>>().join(", ");
    find(name).map(|probe| vec![probe]).map_err(|error| anyhow::anyhow!("{error}; the groups are {groups}"))
}

/// The probe of this name.
pub fn find(name: &str) -> anyhow::Result<&'static Probe> {
    // Their names would fill a screen.
    PROBES
        .iter()
        .find(|probe| probe.name == name)
        .ok_or_else(|| anyhow::anyhow!("no probe `{name}`{}: ./lab grade --list shows them", nearest(name)))
}

/// The probes or groups with the nearest names, two at most, in parentheses; empty if none is alike.
pub(crate) fn nearest(name: &str) -> String {
    /// Below this two names have little in common.
    const ALIKE: f64 = 0.8;
    let names = PROBES.iter().map(|probe| probe.name).chain(groups());
    let alike = names.map(|other| (strsim::jaro_winkler(other, name), other));
    let mut near: Vec<(f64, &str)> = alike.filter(|(alike, _)| *alike >= ALIKE).collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let near: Vec<String> = near.into_iter().take(2).map(|(_, other)| format!("`{other}`")).collect();
    if near.is_empty() { String::new() } else { format!(" (nearest: {})", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects `--only` and the points of a group: each has probes, and a name is not that of a probe.
    #[test]
    fn every_group_has_probes() {
        for (name, probes) in GROUPS {
            assert!(find(name).is_err(), "{name}");
            let selected: Vec<&str> = select(name).unwrap().iter().map(|probe| probe.name).collect();
            assert_eq!(selected, probes.iter().map(|probe| probe.name).collect::<Vec<_>>());
        }
        let number: usize = groups().map(|name| select(name).unwrap().len()).sum();
        assert_eq!(number, PROBES.len());
        assert!(select("nothing").err().unwrap().to_string().contains("one-client"));
        let error = find("pipelined").err().unwrap().to_string();
        assert!(error.contains("(nearest: ") && error.contains("`pipelined-pair`"), "{error}");
        assert_eq!(nearest("qqqq"), "");
    }

    /// Protects the table: a name is unique and typed without quotes, and every row says what it means.
    #[test]
    fn names_are_unique_and_every_row_speaks() {
        let mut names: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROBES.len());
        for probe in PROBES {
            assert!(probe.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(probe.sentence.ends_with('.') && probe.hint.ends_with('.'), "{}", probe.name);
        }
    }
}
