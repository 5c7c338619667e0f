//! Alternatives, measured in turns.

use crate::session::Session;
use anyhow::Result;
use std::collections::BTreeMap;

/// An alternative: its name, and what measures it once and returns the value.
pub type Slice<'a> = (String, Box<dyn FnMut() -> Result<f64> + 'a>);

/// Measures each alternative once in every round, in an order that is drawn anew for each round. Returns the
/// values by name, those of a round at the same place. The first round warms the caches up and is dropped.
///
/// `part` is which share of the experiment this is, from and to.
///
/// # Errors
/// What an alternative says; that the user has ended the run.
pub fn interleaved(
    session: &Session,
    rounds: usize,
    part: (f64, f64),
    slices: &mut [Slice<'_>],
) -> Result<BTreeMap<String, Vec<f64>>> {
    let mut random = fastrand::Rng::with_seed(0xC10);
    let mut order: Vec<usize> = (0..slices.len()).collect();
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..=rounds {
        random.shuffle(&mut order);
        session.tick(
            part.0 + (part.1 - part.0) * round as f64 / (rounds + 1) as f64,
            format_args!("round {round} of {rounds}"),
        )?;
        for &at in &order {
            let (name, measure) = &mut slices[at];
            let value = measure()?;
            let values = values.entry(name.clone()).or_default();
            if round > 0 {
                values.push(value);
            }
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Protects the pairs: values of one round must stand at the same place.
    #[test]
    fn the_values_of_a_round_stand_together_and_the_first_round_is_dropped() {
        let calls = RefCell::new(Vec::new());
        let slice = |name: &'static str| -> Slice<'_> {
            let (calls, mut round) = (&calls, 0);
            let measure = move || {
                calls.borrow_mut().push(name);
                round += 1;
                Ok(f64::from(round))
            };
            (name.to_owned(), Box::new(measure))
        };
        let mut slices = [slice("a"), slice("b")];
        let values = interleaved(&Session::silent(), 8, (0.0, 1.0), &mut slices).expect("no slice fails");
        drop(slices);
        let expected: Vec<f64> = (2..=9).map(f64::from).collect();
        assert_eq!((&values["a"], &values["b"]), (&expected, &expected));
        let calls = calls.into_inner();
        let firsts: Vec<&str> = calls.iter().step_by(2).copied().collect();
        assert!(firsts.contains(&"a") && firsts.contains(&"b"), "the order changes: {firsts:?}");
        assert!(calls.chunks(2).all(|round| round[0] != round[1]), "each once a round");
    }
}
