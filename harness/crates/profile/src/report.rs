//! What was found, as a page that reads on a terminal too.

use super::callgrind::Shares;
use super::calls::{Calls, Counted};
use super::on_cpu::Stacks;
use super::states::States;
use super::target::Load;
use lab_core::stages::Stage;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The page while it is written.
pub(super) struct Report {
    page: String,
}

impl Report {
    pub(super) fn new(stage: &Stage, options: &[String], load: &Load) -> Self {
        let mut page = format!("# Where the time of stage {} goes\n\n", stage.name);
        let options =
            if options.is_empty() { String::new() } else { format!(" with `{}`", options.join(" ")) };
        let _ = writeln!(page, "{}{options}. {}.", stage.title, load.text());
        Self { page }
    }

    /// A part that could not be measured.
    pub(super) fn left_out(&mut self, what: &str, missing: &str) {
        let _ = writeln!(self.page, "\nLeft out: {what}. {missing}.");
    }

    /// Off the CPU.
    pub(super) fn states(&mut self, found: &States, floor: Option<&States>) {
        let _ = write!(self.page, "\n## Running, ready, waiting\n\n");
        let head = ["thread", "running", "ready", "waiting", "waits in", "sleeps/s"];
        let rows = found.threads.iter().map(|thread| {
            let share = |share: &f64| format!("{:.1} %", 100.0 * share);
            // Less than one look in a hundred tells nothing.
            let waits = thread.waits_in.iter().filter(|(_, share)| *share >= 0.01);
            let waits: Vec<String> =
                waits.map(|(call, part)| format!("{call} {:.0} %", 100.0 * part)).collect();
            let waits = if waits.is_empty() { "–".to_owned() } else { waits.join(", ") };
            [
                thread.name.clone(),
                share(&thread.running),
                share(&thread.ready),
                share(&thread.waiting),
                waits,
                format!("{:.0}", thread.sleeps),
            ]
        });
        self.table(&head, rows);
        self.page.push_str(
            "\nReady: it could run, and had no CPU. Waits in: the system call in which looks have found it, of those \
             that found it waiting.\n",
        );
        let mut rows = Vec::new();
        let mut row = |name: &str, of: &dyn Fn(&States) -> f64, digits: usize| {
            let text = |states: &States| format!("{:.digits$}", of(states));
            rows.push([name.to_owned(), text(found), floor.map_or("–".to_owned(), text)]);
        };
        row("CPU time, µs", &|states| states.cpu_us, 2);
        row("sleeps, each with a wake-up (voluntary switches)", &|states| states.slept, 3);
        row("preemptions (involuntary switches)", &|states| states.preempted, 3);
        row("requests per second, for what they are worth", &|states| states.speed, 0);
        let _ = write!(self.page, "\n## For each request\n\n");
        self.table(&["", "stage", "floor"], rows.into_iter());
        if found.is_part {
            self.page.push_str(
                "\nThreads or processes have ended meanwhile: their switches are in no count, their CPU time is.\n",
            );
        }
    }

    /// What the kernel was asked for.
    pub(super) fn calls(&mut self, found: &Counted, floor: Option<&Counted>) {
        let _ = write!(self.page, "\n## System calls for each request\n\n");
        let none = Calls { count: 0.0, errors: 0.0, system_us: 0.0 };
        let of = |counted: Option<&Counted>, name: &str| {
            counted.and_then(|counted| counted.calls.get(name)).copied().unwrap_or(none)
        };
        let names = found.calls.keys().chain(floor.iter().flat_map(|floor| floor.calls.keys()));
        let mut names: Vec<&String> = names.collect::<BTreeSet<_>>().into_iter().collect();
        names.sort_by(|one, other| of(Some(found), other).count.total_cmp(&of(Some(found), one).count));
        // What was called a few times in all is starting and stopping.
        const FEW: f64 = 0.000_5;
        let is_shown = |name: &&&String| of(Some(found), name).count.max(of(floor, name).count) >= FEW;
        let row = |name: &str, own: Calls, beside: Calls| {
            let number = |number: f64| format!("{number:.3}");
            let beside = if floor.is_some() { number(beside.count) } else { "–".to_owned() };
            [name.to_owned(), number(own.count), number(own.errors), beside]
        };
        let sum = |counted: Option<&Counted>| {
            counted.iter().flat_map(|counted| counted.calls.values()).fold(none, |sum, calls| Calls {
                count: sum.count + calls.count,
                errors: sum.errors + calls.errors,
                system_us: sum.system_us + calls.system_us,
            })
        };
        let rows =
            names.iter().filter(is_shown).map(|name| row(name, of(Some(found), name), of(floor, name)));
        let rows: Vec<_> = rows.chain([row("all", sum(Some(found)), sum(floor))]).collect();
        self.table(&["call", "stage", "of these errors", "floor"], rows.into_iter());
        self.page.push_str(
            "\nCounted by strace, which slows the server down: more requests are ready at each wake-up then, so calls \
             that are made once for several requests, such as epoll_wait, are somewhat fewer than without it.\n",
        );
    }

    /// On the CPU.
    pub(super) fn on_cpu(&mut self, stacks: &Stacks) {
        let _ = write!(self.page, "\n## On the CPU\n\n");
        let file = stacks.file.file_name().unwrap_or_default().to_string_lossy();
        let kernel = 100.0 * stacks.kernel;
        let _ = writeln!(
            self.page,
            "[The flame graph]({file}), of {} looks by perf. In the kernel: {kernel:.0} %; in the server's own code: \
             {:.0} %.\n",
            stacks.samples,
            100.0 - kernel
        );
        self.functions(&stacks.functions);
    }

    /// On the CPU, where perf is not allowed.
    pub(super) fn without_perf(&mut self, shares: &Shares, counted: Option<&Counted>) {
        let _ = write!(self.page, "\n## On the CPU, without perf\n\n");
        let _ = writeln!(
            self.page,
            "The server's own code takes {:.0} instructions for each request, by callgrind:\n",
            shares.instructions
        );
        self.functions(&shares.functions);
        if let Some(counted) = counted {
            let all: f64 = counted.calls.values().map(|calls| calls.system_us).sum();
            let mut calls: Vec<_> = counted.calls.iter().collect();
            calls.sort_by(|one, other| other.1.system_us.total_cmp(&one.1.system_us));
            let share = |(name, calls): &(&String, &Calls)| {
                [(*name).clone(), format!("{:.1} %", 100.0 * calls.system_us / all.max(f64::MIN_POSITIVE))]
            };
            let _ = write!(self.page, "\nThe kernel's time, by strace:\n\n");
            let rows: Vec<_> = calls.iter().take(8).map(share).collect();
            self.table(&["call", "share of the system time"], rows.into_iter());
        }
    }

    fn functions(&mut self, functions: &[(String, f64)]) {
        let rows = functions.iter().map(|(name, share)| [name.clone(), format!("{:.1} %", 100.0 * share)]);
        let rows: Vec<_> = rows.collect();
        self.table(&["function", "share"], rows.into_iter());
    }

    /// Columns that line up on a terminal too.
    fn table<const N: usize>(&mut self, head: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
        let clean = |cell: String| cell.replace('|', "/").replace('\n', " ");
        let mut all: Vec<[String; N]> = vec![head.map(str::to_owned)];
        all.extend(rows.map(|row| row.map(clean)));
        let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for (at, row) in all.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(self.page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                let lines: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                let _ = writeln!(self.page, "|-{}-|", lines.join("-|-"));
            }
        }
    }

    pub(super) fn text(&self) -> String {
        self.page.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn counted(calls: &[(&str, f64)]) -> Counted {
        let each = |(name, count): &(&str, f64)| {
            ((*name).to_owned(), Calls { count: *count, errors: 0.0, system_us: 1.0 })
        };
        Counted { calls: calls.iter().map(each).collect::<BTreeMap<_, _>>() }
    }

    /// Protects the comparison with the floor: a call that only one of the two makes has its row, and what
    /// was called a few times in all has none.
    #[test]
    fn the_calls_of_both_are_beside_each_other() {
        let load = Load::parse("", Duration::from_secs(1)).expect("good");
        let mut report = Report::new(&Stage::default(), &[], &load);
        let (own, floor) = (
            counted(&[("read", 2.0), ("futex", 0.5), ("mmap", 0.0001)]),
            counted(&[("read", 1.0), ("write", 1.0)]),
        );
        report.calls(&own, Some(&floor));
        let text = report.text();
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap_or_default();
            line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("read"), "read 2.000 0.000 1.000");
        assert_eq!(
            (row("futex").as_str(), row("write").as_str()),
            ("futex 0.500 0.000 0.000", "write 0.000 0.000 1.000")
        );
        assert_eq!((row("mmap").as_str(), row("all").as_str()), ("", "all 2.500 0.000 2.000"));
    }
}
