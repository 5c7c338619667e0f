//! How far other programs disturbed a run: one rule and one wording for the terminal and the pages.

use super::{Figures, Record};

/// What a reader must know of other programs' part in the figures; `None` if they had none.
pub fn disturbance(records: &[Record]) -> Option<String> {
    let repeated = records.iter().filter(|record| record.context.dropped && !record.straddles()).count();
    let kept: Vec<&Figures> = records
        .iter()
        .filter(|record| !record.context.dropped)
        .filter_map(|record| record.figures())
        .collect();
    let disturbed = kept.iter().filter(|figures| figures.is_disturbed()).count();
    let rule = "other programs used more than a tenth of a CPU";
    let again = match repeated {
        1 => "1 point was measured again".to_owned(),
        count => format!("{count} points were measured again"),
    };
    let remain = match disturbed {
        0 => "no figure that counts is disturbed".to_owned(),
        count => format!(
            "{count} of {} points that count remain disturbed: their speeds are too low, their latencies too high, and \
             their CPU time per request is less exact",
            kept.len()
        ),
    };
    match (repeated, disturbed) {
        (0, 0) => None,
        (0, _) => Some(format!("While they were measured {rule}: {remain}.")),
        _ => Some(format!("While they were measured {rule}: {again}; {remain}.")),
    }
}

/// What a reader must know of pairs in which the machine changed its clock state; `None` if there were none.
pub fn straddling(records: &[Record]) -> Option<String> {
    let (again, kept): (Vec<&Record>, Vec<&Record>) =
        records.iter().filter(|record| record.straddles()).partition(|record| record.context.dropped);
    (!again.is_empty() || !kept.is_empty()).then(|| {
        format!(
            "Pairs in which the floor's two costs differ by more than 5 %: {} measured again, {} left out of the \
             medians.",
            again.len(),
            kept.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{paired, record};

    #[test]
    fn a_pair_that_was_measured_again_for_its_clock_is_no_work_of_other_programs() {
        let mut again = paired(record("05", "builtin", 64, true, 10.0), [5.8, 7.7]);
        let kept = again.clone();
        again.context.dropped = true;
        let records = [again, kept];
        assert_eq!(disturbance(&records), None);
        assert!(straddling(&records).is_some_and(|line| line.contains("1 measured again, 1 left out")));
        assert_eq!(straddling(&[record("05", "wrk", 64, true, 10.0)]), None);
    }

    #[test]
    fn what_was_repeated_and_what_remains_disturbed_are_told_apart() {
        let calm = record("05", "wrk", 64, true, 10.0);
        let mut busy = calm.clone();
        busy.figures_mut().expect("measured").other_cpu_seconds = Some(0.5);
        let mut again = busy.clone();
        again.context.dropped = true;
        let says = |records: &[Record]| disturbance(records).unwrap_or_default();
        assert_eq!(disturbance(std::slice::from_ref(&calm)), None);
        let repaired = says(&[again.clone(), calm.clone()]);
        assert!(
            repaired.contains("1 point was measured again") && repaired.contains("no figure"),
            "{repaired}"
        );
        let remains = says(&[busy.clone(), calm.clone()]);
        assert!(remains.contains("1 of 2 points") && !remains.contains("again"), "{remains}");
        let both = says(&[again, busy, calm]);
        assert!(both.contains("measured again") && both.contains("1 of 2 points"), "{both}");
    }
}
