//! `file-copies`: a file goes into a TCP socket by the three ways of `--files` of stage 08, as functions:
//! from the page cache, since a disk would hide all of it.

use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::measure::{Drain, Pinned, Slice, cpu, interleaved, thread_cpu};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use sending_files::Files;
use std::fs::File;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "file-copies",
    method: "Files that lie in the page cache are sent through a TCP connection to a reader on another CPU, \
             which throws the bytes away. The CPU time of the sending thread per file is measured for read \
             and write, for mmap and write, and for sendfile, in slices that take turns.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 6.0, full: 25.0 },
    run,
    judge,
};

const WAYS: [(&str, Files); 3] =
    [("read and write", Files::Copy), ("mmap and write", Files::Mmap), ("sendfile", Files::Sendfile)];
const KIB: usize = 1024;
/// A slice sends about so many bytes, or so many files.
const SLICE_BYTES: usize = 16 * 1024 * KIB;
const SLICE_FILES: usize = 2000;

fn run(session: &mut Session) -> Result<Measured> {
    let sizes = session.pick(
        &[4 * KIB, 64 * KIB, 1024 * KIB, 16_384 * KIB][..],
        &[KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB, 4096 * KIB, 16_384 * KIB][..],
    );
    let rounds = session.pick(7, 15);
    let directory = tempfile::tempdir().context("a directory for the files")?;
    let drain = Drain::new()?;
    let _pinned = Pinned::to(cpu(0));
    let mut figures = Figures::default();
    let mut series = WAYS.map(|(name, _)| Series { name: name.to_owned(), points: Vec::new() });
    for (at, &size) in sizes.iter().enumerate() {
        let name = size_name(size);
        let part = |at: usize| at as f64 / sizes.len() as f64;
        session.step(part(at), format_args!("files of {name}"))?;
        let path = directory.path().join(size.to_string());
        std::fs::write(&path, vec![b'x'; size]).context("a file")?;
        let file = File::open(&path)?;
        let slice = |(way, files): (&str, Files)| -> Slice<'_> {
            let (file, drain) = (&file, &drain);
            (way.to_owned(), Box::new(move || us_per_file(file, size, files, drain)))
        };
        let mut slices: Vec<Slice<'_>> = WAYS.into_iter().map(slice).collect();
        let values = interleaved(session, rounds, (part(at), part(at + 1)), &mut slices)?;
        for (way, series) in WAYS.iter().zip(&mut series) {
            let figure = Figure::median(format!("{name}: {}", way.0), "µs", &values[way.0])?;
            series.points.push(Point::at(size as f64 / KIB as f64, &figure));
            figures.push(figure);
        }
        let [copy, mmap, sendfile] = WAYS.map(|(way, _)| &values[way]);
        for (ratio, above, below) in [
            ("read / sendfile", copy, sendfile),
            ("mmap / sendfile", mmap, sendfile),
            ("read / mmap", copy, mmap),
        ] {
            figures.push(Figure::ratio(format!("{ratio}: {name}"), above, below)?);
        }
    }
    let chart = Chart {
        title: "CPU time of the sender for a file, by its size".to_owned(),
        x: Axis::logarithmic("size of the file, KiB"),
        y: Axis::logarithmic("µs of CPU time"),
        series: series.into(),
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// `4 KiB`, `1 MiB`.
fn size_name(size: usize) -> String {
    if size < KIB * KIB { format!("{} KiB", size / KIB) } else { format!("{} MiB", size / KIB / KIB) }
}

/// CPU time of this thread for a file. The socket blocks, so what is waited for costs nothing.
fn us_per_file(file: &File, size: usize, way: Files, drain: &Drain) -> Result<f64> {
    let count = (SLICE_BYTES / size).clamp(1, SLICE_FILES);
    let before = thread_cpu();
    for _ in 0..count {
        drain.send(file, size, way)?;
    }
    Ok((thread_cpu() - before).as_secs_f64() * 1e6 / count as f64)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A copy of a few KiB costs less than a system call, and a mapping costs page \
                          faults: count the time, not the copies.";
    const SOURCE: &str = "Nothing was measured: the source counts copies and calls, and leaves out what a \
                          mapping and a page fault cost, and what the socket does with the pages.";
    let (mut as_predicted, mut otherwise, mut unclear) = (Vec::new(), Vec::new(), 0);
    for (size, read_sendfile) in figures.family("read / sendfile: ") {
        let [mmap_sendfile, read_mmap] = [
            figures.get(&format!("mmap / sendfile: {size}"))?,
            figures.get(&format!("read / mmap: {size}"))?,
        ];
        let steps = [read_sendfile, mmap_sendfile, read_mmap].map(|ratio| Comparison::of(ratio, None));
        if steps.iter().all(|step| *step == Comparison::More) {
            as_predicted.push(size);
        } else if steps.iter().any(|step| matches!(step, Comparison::Less | Comparison::Same)) {
            otherwise.push(size);
        } else {
            unclear += 1;
        }
    }
    let list = |sizes: &[&str]| if sizes.is_empty() { "no size".to_owned() } else { sizes.join(", ") };
    let because = format!(
        "the order that the copies predict (sendfile, then mmap, then read and write) is found at {}, \
         another one at {}",
        list(&as_predicted),
        list(&otherwise)
    );
    Ok(match (as_predicted.len(), otherwise.len()) {
        (0, 0) => Judgement::inconclusive("no order could be told at any size", LESSON),
        (_, 0) if unclear == 0 => Judgement::holds(because, LESSON),
        (_, 0) => Judgement::inconclusive(format!("{because}; {unclear} sizes are unclear"), LESSON),
        (0, _) => Judgement::refuted(because, LESSON, SOURCE),
        _ => Judgement::depends(format!("on the size: {because}"), LESSON, SOURCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_order_is_looked_at_for_each_size() {
        let verdict = |sizes: &[[f64; 3]]| {
            let mut figures = Figures::default();
            for (at, ratios) in sizes.iter().enumerate() {
                for (name, value) in ["read / sendfile", "mmap / sendfile", "read / mmap"].iter().zip(ratios)
                {
                    let spread = if *value == 1.0 { 0.5 } else { 0.01 };
                    let interval = Some((value - spread, value + spread));
                    figures.push(Figure { interval, ..Figure::exact(format!("{name}: {at}"), "×", *value) });
                }
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (predicted, mmap_is_dearest, unclear) = ([4.0, 1.5, 2.7], [1.2, 4.0, 0.3], [1.0; 3]);
        assert_eq!(verdict(&[predicted, predicted]), Verdict::Holds);
        assert_eq!(verdict(&[mmap_is_dearest, predicted]), Verdict::Depends);
        assert_eq!(verdict(&[mmap_is_dearest, mmap_is_dearest]), Verdict::Refuted);
        assert_eq!(verdict(&[unclear, unclear]), Verdict::Inconclusive);
        assert_eq!(verdict(&[unclear, predicted]), Verdict::Inconclusive);
    }
}
