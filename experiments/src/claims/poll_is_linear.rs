//! `poll-is-linear`: one descriptor is ready and so many others are idle: what does it cost to find it?

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved, ns_per_call, raise_descriptor_limit};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::select::{FdSet, select};
use nix::sys::time::TimeVal;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "poll-is-linear",
    method: "Of many eventfds one is ready, and select, poll and epoll_wait are asked without waiting, from \
             10 idle ones to 10,000 (select cannot take a descriptor above 1,023). Then all of them are \
             ready, and epoll_wait fetches all.",
    needs: &[Need::Descriptors(10_100)],
    seconds: Seconds { quick: 6.0, full: 20.0 },
    run,
    judge,
};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const SLICE: Duration = Duration::from_millis(10);
/// The size of select's sets: `FD_SETSIZE`.
const SELECT_LIMIT: i32 = 1024;

fn run(session: &mut Session) -> Result<Measured> {
    raise_descriptor_limit()?;
    let _pinned = Pinned::to(cpu(0));
    let rounds = session.pick(9, 31);
    let mut figures = Figures::default();
    let mut series: Vec<Series> = Vec::new();
    for (at, size) in SIZES.into_iter().enumerate() {
        session.step(at as f64 / SIZES.len() as f64, format_args!("{size} idle descriptors"))?;
        let idle = (0..size).map(|_| EventFd::new()).collect::<nix::Result<Vec<_>>>().context("eventfd")?;
        let ready = EventFd::from_value(1)?;
        let epoll = watch(idle.iter().chain([&ready]))?;
        let mut slices: Vec<Slice<'_>> = vec![epoll_slice("epoll", &epoll, 64), poll_slice(&idle, &ready)];
        if ready.as_raw_fd() < SELECT_LIMIT {
            slices.push(select_slice(&idle, &ready));
        }
        let share = |at: usize| at as f64 / SIZES.len() as f64;
        let values = interleaved(session, rounds, (share(at), share(at) + 0.12), &mut slices)?;
        drop(slices);
        idle.iter().try_for_each(|fd| fd.write(1).map(drop))?;
        let mut slices = [epoll_slice("epoll, all ready", &epoll, size + 1)];
        let all = interleaved(session, rounds, (share(at) + 0.12, share(at + 1)), &mut slices)?;
        for (name, values) in values.into_iter().chain(all) {
            let figure = Figure::median(format!("{name}: {size} idle"), "ns", &values)?;
            let place = match series.iter().position(|line| line.name == name) {
                Some(place) => place,
                None => {
                    series.push(Series { name: name.clone(), points: Vec::new() });
                    series.len() - 1
                }
            };
            series[place].points.push(Point::at(size as f64, &figure));
            let renamed = if name.ends_with("all ready") {
                format!("epoll: {size} ready")
            } else {
                figure.name.clone()
            };
            figures.push(Figure { name: renamed, ..figure });
        }
    }
    let chart = Chart {
        title: "Finding the ready descriptor among idle ones".to_owned(),
        x: Axis::logarithmic("descriptors that are watched"),
        y: Axis::logarithmic("ns per call"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn watch<'a>(fds: impl Iterator<Item = &'a EventFd>) -> Result<Epoll> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (at, fd) in fds.enumerate() {
        epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, at as u64)).context("epoll_ctl")?;
    }
    Ok(epoll)
}

fn epoll_slice<'a>(name: &str, epoll: &'a Epoll, max: usize) -> Slice<'a> {
    let mut events = vec![EpollEvent::empty(); max];
    let measure = move || {
        let found = epoll.wait(&mut events, EpollTimeout::ZERO)?;
        anyhow::ensure!(found > 0, "epoll found nothing");
        Ok(ns_per_call(SLICE, 10, || {
            let _ = epoll.wait(&mut events, EpollTimeout::ZERO);
        }))
    };
    (name.to_owned(), Box::new(measure))
}

fn poll_slice<'a>(idle: &'a [EventFd], ready: &'a EventFd) -> Slice<'a> {
    let polled = |fd: &'a EventFd| PollFd::new(fd.as_fd(), PollFlags::POLLIN);
    let mut fds: Vec<PollFd<'_>> = idle.iter().chain([ready]).map(polled).collect();
    let measure = move || {
        anyhow::ensure!(poll(&mut fds, PollTimeout::ZERO)? == 1, "poll found another number");
        Ok(ns_per_call(SLICE, 10, || {
            let _ = poll(&mut fds, PollTimeout::ZERO);
        }))
    };
    ("poll".to_owned(), Box::new(measure))
}

fn select_slice<'a>(idle: &'a [EventFd], ready: &'a EventFd) -> Slice<'a> {
    let mut all = FdSet::new();
    idle.iter().chain([ready]).for_each(|fd| all.insert(fd.as_fd()));
    let highest = ready.as_raw_fd() + 1;
    let measure = move || {
        Ok(ns_per_call(SLICE, 10, || {
            // It overwrites its sets, so each call needs a new one: the claim counts that too.
            let mut set = all;
            let _ = select(highest, &mut set, None, None, &mut TimeVal::new(0, 0));
        }))
    };
    ("select".to_owned(), Box::new(measure))
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "poll pays for every descriptor that it watches, epoll for those that are ready: \
                          when all of them are ready, epoll is linear too.";
    const SOURCE: &str = "Nothing was measured: the sources count what each call has to look at, and leave out \
                          that epoll looks at each descriptor that is ready.";
    let growth = |name: &str, to: usize| {
        let (few, many) =
            (figures.get(&format!("{name}: 10 idle"))?, figures.get(&format!("{name}: {to} idle"))?);
        anyhow::Ok((many.low() / few.high(), many.value / few.value, many.high() / few.low()))
    };
    let (poll, epoll, select) = (growth("poll", 10_000)?, growth("epoll", 10_000)?, growth("select", 1_000)?);
    let because = format!(
        "from 10 idle descriptors to 10,000 poll takes {} times as long and epoll {} times; select takes {} \
         times as long with 1,000",
        format::value(poll.1),
        format::value(epoll.1),
        format::value(select.1)
    );
    let linear = poll.0 > 50.0 && select.0 > 5.0;
    Ok(match (linear, epoll.2 < 3.0) {
        (true, true) => Judgement::holds(because, LESSON),
        (true, false) if epoll.0 > 50.0 => Judgement::refuted(because, LESSON, SOURCE),
        (false, _) if poll.2 < 3.0 => Judgement::refuted(because, LESSON, SOURCE),
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn poll_must_grow_and_epoll_must_not() {
        let verdict = |poll: f64, select: f64, epoll: f64| {
            let mut figures = Figures::default();
            for (name, size, growth) in
                [("poll", 10_000, poll), ("select", 1_000, select), ("epoll", 10_000, epoll)]
            {
                figures.push(Figure::exact(format!("{name}: 10 idle"), "ns", 300.0));
                figures.push(Figure::exact(format!("{name}: {size} idle"), "ns", 300.0 * growth));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(600.0, 60.0, 1.1), Verdict::Holds);
        assert_eq!(verdict(600.0, 60.0, 600.0), Verdict::Refuted, "epoll is linear too");
        assert_eq!(verdict(1.2, 1.2, 1.1), Verdict::Refuted, "poll is not");
        assert_eq!(verdict(600.0, 60.0, 9.0), Verdict::Inconclusive);
        assert_eq!(verdict(9.0, 60.0, 1.0), Verdict::Inconclusive);
    }
}
