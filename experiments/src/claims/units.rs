//! `units`: source 002 calls the figures of its two tables QPS. They were printed by webbench, which counts
//! pages per *minute*: the pages times 60, divided by the seconds of the run. A run of 10 s can print
//! multiples of 6 only, a run of 30 s (the command that the source shows) multiples of 2.

use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;

/// Both tables of source 002, row by row: serial, one process, two processes; first on one core, then on two.
#[rustfmt::skip] // as the tables stand in the source
const TABLES: [[u32; 13]; 6] = [
    [69_324, 115_092, 123_714, 30_444, 36_618, 25_284, 25_110, 31_890, 19_554, 19_368, 24_042,
     31_104, 27_654],
    [57_846, 78_360, 98_400, 97_386, 84_024, 85_140, 97_662, 96_924, 93_600, 92_520, 94_212, 92_124, 91_548],
    [68_556, 94_242, 103_566, 99_018, 100_194, 105_462, 97_344, 102_924, 98_052, 109_104, 111_108,
     114_114, 114_900],
    [90_296, 113_718, 129_270, 38_316, 28_572, 36_162, 35_412, 21_174, 22_320, 29_970, 18_864,
     25_248, 32_082],
    [74_976, 95_208, 110_196, 115_986, 114_840, 115_782, 116_562, 118_518, 120_516, 119_250,
     117_570, 101_904, 122_712],
    [78_432, 106_104, 126_342, 121_092, 119_988, 114_978, 112_992, 114_798, 122_196, 135_732,
     157_794, 179_292, 171_720],
];

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "units",
    method: "Every figure of both tables is divided by the steps in which webbench can print a speed: 60 for \
             a run of one second, 6 for ten seconds, 2 for thirty. Figures that were requests per second \
             would be divisible by chance alone: one in six by 6.",
    needs: &[],
    seconds: Seconds { quick: 0.1, full: 0.1 },
    run,
    judge,
};

fn run(_: &mut Session) -> Result<Measured> {
    let values = || TABLES.iter().flatten().copied();
    let divisible = |by: u32| values().filter(|value| value % by == 0).count() as f64;
    let highest = f64::from(values().max().unwrap_or_default());
    Ok(Figures(vec![
        Figure::exact("figures in both tables", "figures", values().count() as f64),
        Figure::exact("divisible by 6 (a run of 10 s)", "figures", divisible(6)),
        Figure::exact("divisible by 60 (a run of 1 s)", "figures", divisible(60)),
        Figure::exact("divisible by 6 by chance", "figures", values().count() as f64 / 6.0),
        Figure::exact("the highest figure as printed", "pages/min", highest),
        Figure::exact("the same per second", "requests/s", highest / 60.0),
    ])
    .into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A number without the unit that its tool printed is worth nothing: look at the \
                          tool's output, not at the column's title.";
    const SOURCE: &str = "webbench's pages per minute, in runs of ten seconds although the command in the \
                          text says thirty: the highest figure is 2,988 requests per second, not 179,292.";
    let (all, by_6) =
        (figures.value("figures in both tables")?, figures.value("divisible by 6 (a run of 10 s)")?);
    let by_chance = figures.value("divisible by 6 by chance")?;
    Ok(if by_6 >= 0.9 * all {
        let because = format!("{by_6} of {all} figures are multiples of 6, where chance allows {by_chance}");
        Judgement::refuted(because, LESSON, SOURCE)
    } else if by_6 <= 2.0 * by_chance {
        Judgement::holds(format!("only {by_6} of {all} figures are multiples of 6, as by chance"), LESSON)
    } else {
        Judgement::inconclusive(
            format!("{by_6} of {all} figures are multiples of 6: too many for chance"),
            LESSON,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn a_unit_shows_in_the_steps_of_the_figures() {
        let verdict = |by_6: f64| {
            let figures = Figures(vec![
                Figure::exact("figures in both tables", "figures", 78.0),
                Figure::exact("divisible by 6 (a run of 10 s)", "figures", by_6),
                Figure::exact("divisible by 6 by chance", "figures", 13.0),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(77.0), Verdict::Refuted);
        assert_eq!(verdict(14.0), Verdict::Holds);
        assert_eq!(verdict(50.0), Verdict::Inconclusive);
    }
}
