//! The numbers of the chapter on measuring, each computed from the file that its sentence links.

use super::{middle, ratio};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The measured lines of a file of the results.
fn lines(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../results/data").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line.get("skipped").is_none()).collect()
}

/// The standard deviation, %, of the floor against itself with kept connections.
fn spread(lines: &[Value], counts: impl Fn(&Value) -> bool) -> f64 {
    let is_meant = |line: &&Value| {
        line["phase"] == "paired" && line["stage"] == "floor" && line["keep_alive"] == true && counts(line)
    };
    let ratios: Vec<f64> = lines.iter().filter(is_meant).filter_map(ratio).collect();
    assert!(ratios.len() >= 7, "too few pairs: {}", ratios.len());
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let squares: f64 = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum();
    100.0 * (squares / (ratios.len() - 1) as f64).sqrt()
}

/// The medians of the two clusters of the floor's costs: where to cut, the sum of the squared distances to
/// both means is smallest.
fn clusters(lines: &[Value]) -> (usize, f64, f64) {
    let around = lines.iter().filter(|line| line["phase"] == "paired");
    let around = around.filter_map(|line| line["floor_around"].as_array()).flatten();
    let mut costs: Vec<f64> = around.filter_map(Value::as_f64).collect();
    costs.sort_by(f64::total_cmp);
    let squares = |costs: &[f64]| {
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        costs.iter().map(|cost| (cost - mean).powi(2)).sum::<f64>()
    };
    let distance = |cut: &usize| squares(&costs[..*cut]) + squares(&costs[*cut..]);
    let cut = (1..costs.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("there are pairs");
    (costs.len(), middle(&costs[..cut]), middle(&costs[cut..]))
}

/// Protects against a chapter that tells of other figures than its data: each sentence must be there with the
/// numbers of the file that it links.
#[test]
fn the_chapter_tells_what_its_data_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../notes/src/measuring.md");
    let chapter = fs::read_to_string(path).expect("the chapter is there");
    let chapter = chapter.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |sentence: &str| assert!(chapter.contains(sentence), "the chapter must say: {sentence}");
    let link = |file: &str| {
        let stamp = file.split('-').next().expect("a stamp");
        format!("[{stamp}](../../results/data/{file})")
    };

    let file = "20261122T055941Z-7d01fa2c52-standard.jsonl";
    let first = lines(file);
    let (runs, fast, slow) = clusters(&first);
    says(&format!(
        "costs {fast:.1} µs a request in one state and {slow:.1} µs in the other (medians of the two clusters \
         of {runs} runs, {})",
        link(file),
    ));

    let (new, old) =
        ("20261129T183218Z-b699ddb52c-standard.jsonl", "20261129T162809Z-a30d33fbd6-standard.jsonl");
    says(&format!(
        "spreads by {:.1} % (standard deviation of the pairs with kept connections, {})",
        spread(&lines(new), |_| true),
        link(new),
    ));
    says(&format!(
        "and by {:.1} % ({:.1} % among the pairs that were kept) where a run of 0.8 s stood between two runs \
         of the floor ({})",
        spread(&lines(old), |_| true),
        spread(&lines(old), |line| line["dropped"] == false),
        link(old),
    ));
}
