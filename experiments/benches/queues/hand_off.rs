//! An item there and an item back, between two threads that sleep in between: by each queue with each way to
//! wake, and by the queues that can sleep themselves.

use crate::on_two_cpus;
use crate::queues::{Pop, Push, queues};
use clap::ValueEnum;
use criterion::{BenchmarkId, Criterion};
use crossbeam::channel;
use crossbeam::utils::Backoff;
use lockless_queues::parker::{Parker, Unparker, Wakeup, parker};
use lockless_queues::ring::{Consumer, ring};
use std::sync::mpsc;

/// One direction of the hand-off.
struct Tell(Box<dyn Push>, Unparker);
struct Hear(Box<dyn Pop>, Parker);

impl Tell {
    fn tell(&mut self, item: u64) {
        assert!(self.0.push(item), "one item is on its way at a time");
        self.1.unpark();
    }
}

impl Hear {
    fn hear(&mut self) -> u64 {
        // A queue that cannot be asked whether it is empty is asked for an item, which is kept.
        let mut item = self.0.pop();
        while item.is_none() {
            self.1.park_unless(|| {
                item = self.0.pop();
                item.is_some()
            });
            item = item.or_else(|| self.0.pop());
        }
        item.expect("the loop ends with one")
    }
}

fn name(wakeup: Wakeup) -> String {
    wakeup.to_possible_value().expect("no variant is hidden").get_name().to_owned()
}

pub(crate) fn hand_off(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand_off");
    for (queue, make) in queues() {
        let direction = move |wakeup| {
            let (push, pop) = make();
            let (unparker, parker) = parker(wakeup).expect("descriptors are free");
            (Tell(push, unparker), Hear(pop, parker))
        };
        // All means to wake with the lab's own ring; the other queues with the one that stage 07 uses.
        let means = if queue == "ring" { Wakeup::value_variants() } else { &[Wakeup::Eventfd] };
        for &wakeup in means {
            group.bench_function(BenchmarkId::new(queue, name(wakeup)), |bencher| {
                bencher.iter_custom(|rounds| {
                    let (mut there, mut here) = direction(wakeup);
                    let (mut back, mut home) = direction(wakeup);
                    let call = move || {
                        for round in 0..rounds {
                            there.tell(round);
                            assert_eq!(home.hear(), round);
                        }
                    };
                    let answer = move || {
                        for _ in 0..rounds {
                            let item = here.hear();
                            back.tell(item);
                        }
                    };
                    on_two_cpus(call, answer)
                });
            });
        }
    }
    // These sleep by themselves, in a futex, after they have spun for a while.
    group.bench_function("channel/its own", |bencher| {
        bencher.iter_custom(|rounds| {
            let (there, here) = channel::bounded(1);
            let (back, home) = channel::bounded(1);
            blocking(
                rounds,
                move |item| there.send(item).is_ok(),
                move || home.recv().ok(),
                move || here.recv().ok(),
                move |item| back.send(item).is_ok(),
            )
        });
    });
    group.bench_function("sync_channel/its own", |bencher| {
        bencher.iter_custom(|rounds| {
            let (there, here) = mpsc::sync_channel(1);
            let (back, home) = mpsc::sync_channel(1);
            blocking(
                rounds,
                move |item| there.send(item).is_ok(),
                move || home.recv().ok(),
                move || here.recv().ok(),
                move |item| back.send(item).is_ok(),
            )
        });
    });
    // What is left when nobody sleeps: the cache line's way there and back. The rest is the wake-up.
    group.bench_function("spinning", |bencher| {
        bencher.iter_custom(|rounds| {
            let (mut there, mut here) = ring(1);
            let (mut back, mut home) = ring(1);
            let hear = |from: &mut Consumer<u64>| {
                let backoff = Backoff::new();
                loop {
                    match from.pop() {
                        Some(item) => return item,
                        None => backoff.snooze(),
                    }
                }
            };
            let call = move || {
                for round in 0..rounds {
                    there.push(round).expect("one item is on its way at a time");
                    assert_eq!(hear(&mut home), round);
                }
            };
            let answer = move || {
                for _ in 0..rounds {
                    let item = hear(&mut here);
                    back.push(item).expect("one item is on its way at a time");
                }
            };
            on_two_cpus(call, answer)
        });
    });
    group.finish();
}

/// The round trips of queues that block.
fn blocking(
    rounds: u64,
    there: impl Fn(u64) -> bool + Send,
    home: impl Fn() -> Option<u64> + Send,
    here: impl Fn() -> Option<u64> + Send,
    back: impl Fn(u64) -> bool + Send,
) -> std::time::Duration {
    let call = move || {
        for round in 0..rounds {
            assert!(there(round), "the other end is there");
            assert_eq!(home(), Some(round));
        }
    };
    let answer = move || {
        for _ in 0..rounds {
            let item = here().expect("the other end is there");
            assert!(back(item), "the other end is there");
        }
    };
    on_two_cpus(call, answer)
}
