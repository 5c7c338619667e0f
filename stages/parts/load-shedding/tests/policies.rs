//! Whom each policy serves, and whom it refuses.

use load_shedding::{Policy, Receiver, Taken, queue};
use std::thread::{scope, sleep};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Everything that is in a closed queue.
fn rest(receiver: &Receiver<u32>) -> Vec<Taken<u32>> {
    std::iter::from_fn(|| receiver.recv()).collect()
}

fn items(receiver: &Receiver<u32>) -> Vec<u32> {
    rest(receiver).into_iter().map(|taken| taken.item).collect()
}

/// Protects the comparison of the policies: they differ in whom they serve, and in nothing else.
#[test]
fn each_policy_has_its_order() {
    for (policy, order) in [
        (Policy::Unbounded, [1, 2, 3]),
        (Policy::Bounded(3), [1, 2, 3]),
        (Policy::ByAge(HOUR), [1, 2, 3]),
        (Policy::Lifo, [3, 2, 1]),
    ] {
        let (sender, receiver) = queue(policy);
        (1..=3).for_each(|item| sender.send(item).expect("there is room"));
        drop(sender);
        assert_eq!(items(&receiver), order, "{policy:?}");
    }
}

/// Protects the clients that are served: with so many before it a request would wait too long, and it is
/// told so at once. As soon as one was taken there is room again.
#[test]
fn a_bounded_queue_refuses_while_it_is_full() {
    let (sender, receiver) = queue(Policy::Bounded(2));
    let sent: Vec<_> = (1..=3).map(|item| sender.send(item)).collect();
    assert_eq!(sent, [Ok(()), Ok(()), Err(3)]);
    assert_eq!(receiver.recv(), Some(Taken { item: 1, is_late: false }));
    assert_eq!(sender.send(4), Ok(()));
    drop(sender);
    assert_eq!(items(&receiver), [2, 4]);
}

#[test]
fn the_others_refuse_none_however_many_wait() {
    for policy in [Policy::Unbounded, Policy::Lifo, Policy::ByAge(HOUR)] {
        let (sender, receiver) = queue(policy);
        assert!((0..10_000).all(|item| sender.send(item).is_ok()), "{policy:?}");
        drop(sender);
        assert_eq!(items(&receiver).len(), 10_000, "{policy:?}");
    }
}

/// Protects a worker from work for clients that have given up, and those that wait from being refused early.
#[test]
fn an_item_is_late_once_it_has_waited_longer_than_its_policy_allows() {
    let (sender, receiver) = queue(Policy::ByAge(Duration::from_millis(1)));
    sender.send(1).expect("there is room");
    sleep(Duration::from_millis(5));
    assert_eq!(receiver.recv(), Some(Taken { item: 1, is_late: true }));
    for policy in [Policy::ByAge(HOUR), Policy::Unbounded, Policy::Lifo, Policy::Bounded(9)] {
        let (sender, receiver) = queue(policy);
        sender.send(1).expect("there is room");
        sleep(Duration::from_millis(5));
        assert_eq!(receiver.recv(), Some(Taken { item: 1, is_late: false }), "{policy:?}");
    }
}

/// Protects the end of the server: every worker ends when the dispatcher has gone, and what was sent
/// before is served.
#[test]
fn all_receivers_end_when_the_sender_has_gone() {
    let (sender, receiver) = queue(Policy::Lifo);
    let mut taken = scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                scope.spawn(move || items(&receiver))
            })
            .collect();
        (0..1000).for_each(|item| sender.send(item).expect("there is room"));
        drop(sender);
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect::<Vec<u32>>()
    });
    taken.sort_unstable();
    assert_eq!(taken, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_policy_is_read_or_refused_with_what_is_allowed() {
    let age = Policy::ByAge(Duration::from_millis(50));
    let good = ["unbounded", "bounded:128", "lifo", "by-age:50"].map(str::parse::<Policy>);
    assert_eq!(good, [Ok(Policy::Unbounded), Ok(Policy::Bounded(128)), Ok(Policy::Lifo), Ok(age)]);
    for bad in [
        "",
        "fifo",
        "bounded",
        "bounded:",
        "bounded:0",
        "bounded:1048577",
        "lifo:1",
        "by-age:-1",
        "by-age:99999999",
    ] {
        let error = bad.parse::<Policy>().expect_err(bad);
        assert!(error.contains("bounded:N") && error.contains("60000"), "{bad}: {error}");
    }
}
