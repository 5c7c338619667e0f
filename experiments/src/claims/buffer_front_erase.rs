//! `buffer-front-erase`: pipelined requests lie in one buffer, and each is removed when it has been parsed.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved};
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::Result;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "buffer-front-erase",
    method: "A buffer is filled with 1 to 4,096 requests of 64 bytes, which are then taken out one by one: \
             by erasing the front of a vector, by moving a read index, or from a ring (VecDeque). The time \
             per request is compared with the 10 µs that a request costs a server at least.",
    needs: &[],
    seconds: Seconds { quick: 2.0, full: 8.0 },
    run,
    judge,
};

const REQUEST: usize = 64;
const DEPTHS: [usize; 4] = [1, 16, 256, 4096];
const ERASE: &str = "erase the front";
/// What a request costs a server at least, in ns: a read and a write of a socket.
const WHOLE_REQUEST: f64 = 10_000.0;
/// Above this share of it a cost is one.
const NOTICEABLE: f64 = 0.05;

fn run(session: &mut Session) -> Result<Measured> {
    let _pinned = Pinned::to(cpu(0));
    let rounds = session.pick(11, 51);
    let mut figures = Figures::default();
    let mut series: Vec<Series> = Vec::new();
    for (at, depth) in DEPTHS.into_iter().enumerate() {
        let part = (at as f64 / DEPTHS.len() as f64, (at + 1) as f64 / DEPTHS.len() as f64);
        session.step(part.0, format_args!("{depth} requests in the buffer"))?;
        let input = vec![b'x'; REQUEST * depth];
        let slice = |name: &str, take_all: fn(&[u8])| -> Slice<'_> {
            let input = &input;
            (name.to_owned(), Box::new(move || Ok(per_request(input, depth, take_all))))
        };
        let mut slices = vec![slice(ERASE, erase), slice("read index", index), slice("ring", ring)];
        for (name, values) in interleaved(session, rounds, part, &mut slices)? {
            let figure = Figure::median(format!("{name}: {depth} in the buffer"), "ns per request", &values)?;
            let point = Point::at(depth as f64, &figure);
            match series.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => series.push(Series { name, points: vec![point] }),
            }
            figures.push(figure);
        }
        let moved = (depth - 1) as f64 / 2.0 * REQUEST as f64;
        figures.push(Figure::exact(
            format!("moved by erasing: {depth} in the buffer"),
            "bytes per request",
            moved,
        ));
    }
    let chart = Chart {
        title: "Taking requests out of a buffer".to_owned(),
        x: Axis::logarithmic("requests in the buffer"),
        y: Axis::logarithmic("ns per request"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// The time of a buffer that is filled and emptied, by request; filling is the same for all three.
fn per_request(input: &[u8], depth: usize, take_all: fn(&[u8])) -> f64 {
    const SLICE: Duration = Duration::from_millis(4);
    let start = Instant::now();
    let mut buffers = 0;
    loop {
        take_all(black_box(input));
        buffers += 1;
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return elapsed.as_nanos() as f64 / f64::from(buffers) / depth as f64;
        }
    }
}

/// What parsing would do: look at the request.
fn look(request: &[u8]) {
    black_box(request.first());
}

fn erase(input: &[u8]) {
    let mut buffer = input.to_vec();
    while buffer.len() >= REQUEST {
        look(&buffer[..REQUEST]);
        buffer.drain(..REQUEST);
    }
}

fn index(input: &[u8]) {
    let buffer = input.to_vec();
    let mut read = 0;
    while buffer.len() - read >= REQUEST {
        look(&buffer[read..read + REQUEST]);
        read += REQUEST;
    }
    black_box(buffer);
}

fn ring(input: &[u8]) {
    let mut buffer = VecDeque::with_capacity(input.len());
    buffer.extend(input);
    while buffer.len() >= REQUEST {
        look(&buffer.as_slices().0[..REQUEST]);
        buffer.drain(..REQUEST);
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Erasing the front moves everything behind it: nothing for one request, a quadratic \
                          cost for a long pipeline. A read index costs nothing at any length.";
    const SOURCE: &str = "Nothing was measured: the source suspects it. Without pipelining there is nothing \
                          behind the request that is erased.";
    let limit = WHOLE_REQUEST * NOTICEABLE;
    let mut slow = Vec::new();
    let mut unclear = 0;
    for depth in DEPTHS {
        let (erase, index) = (
            figures.get(&format!("{ERASE}: {depth} in the buffer"))?,
            figures.get(&format!("read index: {depth} in the buffer"))?,
        );
        let (low, high) = (erase.low() - index.high(), erase.high() - index.low());
        slow.extend((low > limit).then_some(depth));
        unclear += usize::from(low <= limit && high > limit);
    }
    let first = figures.value(&format!("{ERASE}: {} in the buffer", DEPTHS[0]))?;
    let last = figures.value(&format!("{ERASE}: {} in the buffer", DEPTHS[DEPTHS.len() - 1]))?;
    let because = format!(
        "to fill a buffer and erase its requests takes {} ns per request with one request in it and {} ns \
         with 4,096; erasing takes more than 5 % of a request of 10 µs longer than a read index {}",
        format::value(first),
        format::value(last),
        slow.first().map_or_else(|| "at no depth".to_owned(), |depth| format!("from a depth of {depth} on"))
    );
    Ok(match slow.len() {
        0 if unclear == 0 => Judgement::refuted(because, LESSON, SOURCE),
        0 => Judgement::inconclusive(because, LESSON),
        all if all == DEPTHS.len() => Judgement::holds(because, LESSON),
        _ => Judgement::depends(format!("on how much lies behind what is erased: {because}"), LESSON, SOURCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn slow_is_what_a_request_notices() {
        let verdict = |erase: [f64; 4], spread: f64| {
            let mut figures = Figures::default();
            for (depth, ns) in DEPTHS.into_iter().zip(erase) {
                let interval = Some((ns - spread, ns + spread));
                let name = format!("{ERASE}: {depth} in the buffer");
                figures.push(Figure { interval, ..Figure::exact(name, "ns", ns) });
                figures.push(Figure::exact(format!("read index: {depth} in the buffer"), "ns", 5.0));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict([10.0, 20.0, 200.0, 9000.0], 1.0), Verdict::Depends);
        assert_eq!(verdict([1000.0, 2000.0, 2000.0, 9000.0], 1.0), Verdict::Holds);
        assert_eq!(verdict([10.0, 20.0, 30.0, 40.0], 1.0), Verdict::Refuted);
        assert_eq!(verdict([10.0, 20.0, 30.0, 500.0], 100.0), Verdict::Inconclusive);
    }
}
