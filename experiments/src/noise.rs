//! Whether another run could find another verdict: a rule over the intervals of the figures, the same for all
//! experiments.
//!
//! Each figure that varies is moved to the ends of its interval, where another run may find it, and the rule
//! of the experiment judges again. A figure that was measured once has no interval and is moved by a tenth.
//! Figures are moved one at a time: that all of them stray at once, to the side that matters, is rare.

use crate::report::{Figure, Figures, Judgement, Verdict};
use anyhow::Result;

/// How far a figure that was measured once may be from that of another run.
const ONCE: f64 = 0.1;

/// Judges, and says with the verdict whether another run could find another one.
///
/// # Errors
/// What the rule says.
pub fn judge(rule: fn(&Figures) -> Result<Judgement>, figures: &Figures) -> Result<Judgement> {
    let mut judgement = rule(figures)?;
    let others = others(rule, figures, judgement.verdict);
    if let Some((last, first)) = others.split_last() {
        let word = |verdict: &Verdict| format!("\"{}\"", verdict.word());
        let first: Vec<String> = first.iter().map(word).collect();
        let or = if first.is_empty() { "" } else { " or " };
        let words = format!("{}{or}{}", first.join(", "), word(last));
        let because = judgement.because.trim_end_matches('.');
        judgement.because =
            format!("{because}. This verdict depends on noise: another run could end as {words}");
    }
    let is_open = judgement.verdict == Verdict::Inconclusive && others.is_empty();
    if is_open && figures.0.iter().any(Figure::varies) {
        let because = judgement.because.trim_end_matches('.');
        judgement.because =
            format!("{because}. This verdict depends on noise: the intervals are too wide to decide it");
    }
    judgement.another_run = others;
    Ok(judgement)
}

/// The other verdicts that the intervals allow, each once.
fn others(rule: fn(&Figures) -> Result<Judgement>, figures: &Figures, found: Verdict) -> Vec<Verdict> {
    let mut others = Vec::new();
    let mut moved = figures.clone();
    for at in 0..figures.0.len() {
        let figure = &figures.0[at];
        for to in ends(figure) {
            moved.0[at] = shifted(figure, to - figure.value);
            // Figures that no run would find together are no verdict.
            if let Ok(judgement) = rule(&moved)
                && judgement.verdict != found
                && !others.contains(&judgement.verdict)
            {
                others.push(judgement.verdict);
            }
        }
        moved.0[at] = figure.clone();
    }
    others
}

/// Where another run may find a figure; nowhere else, if it is exact.
fn ends(figure: &Figure) -> Vec<f64> {
    match figure.interval {
        Some((low, high)) => vec![low, high],
        None if figure.varies() => vec![figure.value * (1.0 - ONCE), figure.value * (1.0 + ONCE)],
        None => Vec::new(),
    }
}

/// A figure with its interval, moved.
fn shifted(figure: &Figure, by: f64) -> Figure {
    let interval = figure.interval.map(|(low, high)| (low + by, high + by));
    Figure { value: figure.value + by, interval, ..figure.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than twice: holds; less: refuted; about twice: inconclusive.
    fn rule(figures: &Figures) -> Result<Judgement> {
        let figure = figures.get("ratio")?;
        Ok(match figure {
            figure if figure.low() > 2.0 => Judgement::holds("it is more.", "l"),
            figure if figure.high() < 2.0 => Judgement::refuted("it is less", "l", "s"),
            _ => Judgement::inconclusive("it is about the same", "l"),
        })
    }

    fn of(figure: Figure) -> Judgement {
        judge(rule, &Figures(vec![Figure::exact("other", "", 1.0), figure])).expect("a verdict")
    }

    /// Protects the promise that two runs agree, or the verdict says why not.
    #[test]
    fn a_verdict_near_its_threshold_says_that_it_depends_on_noise() {
        let sure = of(Figure::between("ratio", (2.9, 3.1)));
        assert_eq!((sure.verdict, sure.another_run.len()), (Verdict::Holds, 0));
        assert_eq!(sure.because, "it is more.");
        let near = of(Figure::between("ratio", (2.05, 2.45)));
        assert_eq!((near.verdict, &near.another_run[..]), (Verdict::Holds, &[Verdict::Inconclusive][..]));
        assert_eq!(
            near.because,
            "it is more. This verdict depends on noise: another run could end as \"inconclusive\""
        );
        let open = of(Figure::between("ratio", (1.8, 2.1)));
        assert_eq!(open.verdict, Verdict::Inconclusive);
        assert_eq!(open.another_run, [Verdict::Refuted]);
        assert!(open.because.ends_with("could end as \"refuted\""), "{}", open.because);
    }

    /// What no single figure decides is open because of the noise as well.
    #[test]
    fn figures_that_decide_nothing_are_said_to() {
        let rule = |figures: &Figures| {
            Ok(match figures.0.iter().all(|figure| figure.low() > 2.0) {
                true => Judgement::holds("both are more", "l"),
                false => Judgement::inconclusive("one of them may be less", "l"),
            })
        };
        let figures = ["one", "other"].map(|name| Figure::between(name, (1.8, 2.6)));
        let open = judge(rule, &Figures(figures.into())).expect("a verdict");
        assert_eq!((open.verdict, open.another_run.len()), (Verdict::Inconclusive, 0));
        assert!(open.because.ends_with("depends on noise: the intervals are too wide to decide it"));
    }

    /// An exact figure, such as a count that a model yields, is the same in every run.
    #[test]
    fn only_a_figure_that_varies_is_moved() {
        assert!(of(Figure::exact("ratio", "×", 2.1)).another_run.is_empty());
        assert_eq!(of(Figure::once("ratio", "×", 2.1)).another_run, [Verdict::Refuted]);
    }
}
