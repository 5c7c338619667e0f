//! What `results/` and the book have of the same question, measured with all the care that a reveal has no
//! time for.

use crate::measure::Lab;
use anyhow::Result;
use book::predictions::Measure;
use book::recorded_calls;
use figures::chapter::{Cost, Newest};
use lab_core::stages::Stage;

/// The rows of a chapter's table.
const KEPT: usize = 0;
const SHORT: usize = 1;
const SILENT: usize = 4;

/// A record of the same question.
pub(crate) struct Recorded {
    /// As it is shown.
    pub(crate) text: String,
    /// Which choice it is, where two costs are compared.
    pub(crate) key: Option<&'static str>,
}

impl From<String> for Recorded {
    fn from(text: String) -> Self {
        Self { text, key: None }
    }
}

/// The choice that the change of a table's row is: `+4 % [2 to 5]` is `more`.
fn key(change: &str) -> Option<&'static str> {
    match change {
        "not distinguishable" => Some("alike"),
        less if less.starts_with('−') => Some("less"),
        more if more.starts_with(['+', '×']) => Some("more"),
        _ => None,
    }
}

/// What is recorded of it; nothing, where nothing is. Options have no records of their own.
pub(crate) fn recorded(lab: &Lab, measure: &Measure) -> Result<Option<Recorded>> {
    match measure {
        Measure::CpuRatio { server, to, close } => {
            let (Some(stage), Some(base)) = (plain(lab, server), plain(lab, to)) else { return Ok(None) };
            let cost = cost(lab, Some(base), stage)?;
            let row = &cost.rows[if *close { SHORT } else { KEPT }];
            let base_text = row.base.as_deref().unwrap_or_default();
            let text = format!(
                "results/: {}: stage {} {base_text}, stage {} {}: {}",
                row.measure, base.name, stage.name, row.stage, row.change
            );
            Ok(Some(Recorded { text, key: key(&row.change) }))
        }
        Measure::MemoryOfSilent { server, .. } => {
            let Some(stage) = plain(lab, server) else { return Ok(None) };
            let row = &cost(lab, None, stage)?.rows[SILENT];
            Ok(Some(format!("results/: {}: {}", row.measure, row.stage).into()))
        }
        Measure::CallsMore { server, than } => {
            let calls = [server, than].map(|name| {
                let stage = plain(lab, name)?;
                Some(format!("stage {} {}", stage.name, recorded_calls(&lab.root, &stage.name)?.kept))
            });
            let [Some(one), Some(other)] = calls else { return Ok(None) };
            Ok(Some(format!("the book's recordings: {one}, {other}").into()))
        }
        _ => Ok(None),
    }
}

/// A stage without options.
fn plain<'a>(lab: &'a Lab, server: &str) -> Option<&'a Stage> {
    if server.split_whitespace().count() == 1 { lab.stage(server).ok() } else { None }
}

fn cost(lab: &Lab, base: Option<&Stage>, stage: &Stage) -> Result<Cost> {
    let newest = Newest::open(&lab.root.join("results/data"))?;
    let base = base.map(|base| (base.name.as_str(), base.title.as_str()));
    newest.cost(base, (&stage.name, &stage.title))
}

#[cfg(test)]
mod tests {
    /// Protects the verdict: the sign of a recorded change decides which choice it is.
    #[test]
    fn a_change_is_the_choice_that_its_sign_says() {
        for (change, key) in [
            ("+4 % [2 to 5]", Some("more")),
            ("×2.4 [2.3 to 2.6]", Some("more")),
            ("−21 % [−23 to −20]", Some("less")),
            ("not distinguishable", Some("alike")),
            ("not compared: one of them was not measured", None),
        ] {
            assert_eq!(super::key(change), key, "{change}");
        }
    }
}
