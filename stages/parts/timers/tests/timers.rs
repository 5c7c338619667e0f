//! Heap, tree and wheel agree with a model that is too simple to be wrong.

use proptest::prelude::*;
use std::collections::BTreeMap;
use timers::wheel::TICK_MS;
use timers::{Structure, Timer, Timers};

#[derive(Clone, Debug)]
enum Act {
    /// Arm a timer so many ms from now.
    Arm(u64),
    /// Cancel one of those that are armed.
    Cancel(prop::sample::Index),
    /// Let so many ms pass, and see which fire.
    Pass(u64),
    /// Sleep until the structure wants to be looked at.
    Sleep,
}

fn act() -> impl Strategy<Value = Act> {
    // Up to a few rounds of the wheel, which is 65 s long, with many timers in the same tick and in the same
    // millisecond.
    let far = || prop_oneof![0..4_u64, 0..200_u64, 0..10_000_u64, 0..300_000_u64];
    prop_oneof![
        4 => far().prop_map(Act::Arm),
        2 => any::<prop::sample::Index>().prop_map(Act::Cancel),
        1 => far().prop_map(Act::Pass),
        2 => Just(Act::Sleep),
    ]
}

/// Whatever is armed and cancelled, each timer fires once, at its time and never before; the loop is woken in
/// time.
fn agrees_with_the_model(structure: Structure, begin: u64, acts: &[Act]) -> Result<(), TestCaseError> {
    // The wheel rounds up to the end of a tick, and so does its model.
    let tick = if structure == Structure::Wheel { TICK_MS } else { 1 };
    let mut timers: Box<dyn Timers> = structure.build(begin);
    let mut model: BTreeMap<u64, (u64, Timer)> = BTreeMap::new();
    let (mut now, mut key) = (begin, 0);
    for act in acts {
        match act {
            Act::Arm(far) => {
                key += 1;
                let timer = timers.arm(now + far, key);
                prop_assert_eq!(timer.at(), now + far);
                // In a tick whose timers have fired already it fires with the next.
                let at = (now + far).div_ceil(tick).max(if tick > 1 { now / tick + 1 } else { 0 }) * tick;
                model.insert(key, (at, timer));
            }
            Act::Cancel(index) if !model.is_empty() => {
                let key = *model.keys().nth(index.index(model.len())).unwrap();
                let (_, timer) = model.remove(&key).unwrap();
                timers.cancel(timer);
            }
            Act::Cancel(_) => {}
            Act::Pass(_) | Act::Sleep => {
                let earliest = model.values().map(|(at, _)| *at).min();
                let next = timers.next();
                prop_assert_eq!(next.is_some(), earliest.is_some());
                if let (Some(next), Some(earliest)) = (next, earliest) {
                    prop_assert!(next <= earliest, "it would wake at {next}, {earliest} is due");
                }
                now = match (act, next) {
                    (Act::Pass(far), _) => now + far,
                    (_, Some(next)) => next.max(now),
                    _ => now,
                };
                let mut fired = Vec::new();
                timers.expire(now, &mut fired);
                fired.sort_unstable();
                let due: Vec<u64> =
                    model.extract_if(.., |_, (at, _)| *at <= now).map(|(key, _)| key).collect();
                prop_assert_eq!(fired, due, "at {}", now);
                // Else a loop that sleeps until then would not sleep at all.
                prop_assert!(timers.next().is_none_or(|next| next > now));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_heap_fires_what_the_model_fires(
        begin in 0..1_000_000_u64,
        acts in prop::collection::vec(act(), 0..200),
    ) {
        agrees_with_the_model(Structure::Heap, begin, &acts)?;
    }

    #[test]
    fn a_tree_fires_what_the_model_fires(
        begin in 0..1_000_000_u64,
        acts in prop::collection::vec(act(), 0..200),
    ) {
        agrees_with_the_model(Structure::Tree, begin, &acts)?;
    }

    #[test]
    fn a_wheel_fires_what_the_model_fires(
        begin in 0..1_000_000_u64,
        acts in prop::collection::vec(act(), 0..200),
    ) {
        agrees_with_the_model(Structure::Wheel, begin, &acts)?;
    }
}

/// Short connections arm a timer a minute ahead and cancel it at once, for ever: the dead ones must not pile
/// up.
#[test]
fn a_heap_keeps_no_more_dead_timers_than_living_ones() {
    let mut heap = timers::heap::Heap::default();
    let living: Vec<Timer> = (0..10).map(|key| heap.arm(60_000 + key, key)).collect();
    for round in 0..100_000 {
        let timer = heap.arm(60_000 + round, 1_000_000 + round);
        heap.cancel(timer);
        assert!(heap.len() <= 2 * living.len() + 2, "{} timers, of which {} live", heap.len(), living.len());
    }
}
