//! The CPUs of the servers and of the generator.

use anyhow::{Context, Result, bail, ensure};
use lab_core::Usage;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs of the server and of the generator: as asked for, else the first and the second.
pub fn cpus(asked: Option<&str>) -> Result<(Vec<usize>, Vec<usize>)> {
    let allowed = allowed_cpus()?;
    match (asked, allowed.as_slice()) {
        (Some(asked), _) => cpus_of(asked, &allowed),
        (None, [first, second, ..]) => Ok((vec![*first], vec![*second])),
        (None, [only]) => {
            eprintln!("one CPU only: server and generator share it, so the speeds are of both together");
            Ok((vec![*only], vec![*only]))
        }
        (None, []) => bail!("no CPU may be used"),
    }
}

/// The same CPUs for both: as asked for, else the first two.
pub fn shared_cpus(asked: Option<&str>) -> Result<(Vec<usize>, Vec<usize>)> {
    let allowed = allowed_cpus()?;
    match asked {
        Some(asked) => cpus_of(asked, &allowed),
        None => {
            let cpus: Vec<usize> = allowed.into_iter().take(2).collect();
            ensure!(!cpus.is_empty(), "no CPU may be used");
            Ok((cpus.clone(), cpus))
        }
    }
}

/// One CPU of the server and two, each with those of the generator: as asked for, else the first two for the
/// server; the others for the generator, or those that there are.
pub(crate) fn pair_of_cpus(asked: Option<&str>) -> Result<[(Vec<usize>, Vec<usize>); 2]> {
    let allowed = allowed_cpus()?;
    let (server, generator) = match (asked, allowed.as_slice()) {
        (Some(asked), _) => cpus_of(asked, &allowed)?,
        (None, [first, second]) => {
            return Ok([(vec![*first], vec![*second]), (allowed.clone(), allowed)]);
        }
        (None, [first, second, others @ ..]) => (vec![*first, *second], others.to_vec()),
        (None, _) => bail!("two CPUs are needed, and this process may use {}", allowed.len()),
    };
    ensure!(server.len() == 2, Usage::new("--cpus must name two CPUs of the server, for example 0,1:2,3"));
    Ok([(server[..1].to_vec(), generator.clone()), (server, generator)])
}

fn allowed_cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("cannot read the CPU affinity")?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// `SERVER:GENERATOR`, each a list of CPUs such as `0,2`.
fn cpus_of(text: &str, allowed: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
    let (server, generator) = text
        .split_once(':')
        .context(Usage::new("--cpus must look like SERVER:GENERATOR, for example 0:1 or 0,1:2,3"))?;
    let side = |list| numbers(list, "--cpus", "0:1 or 0,1:2,3");
    let both = (side(server)?, side(generator)?);
    if let Some(bad) = both.0.iter().chain(&both.1).find(|cpu| !allowed.contains(cpu)) {
        let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
        bail!(Usage::new(format!("--cpus names CPU {bad}: this process may use {}", allowed.join(", "))));
    }
    for side in [&both.0, &both.1] {
        if let Some(twice) = side.iter().enumerate().find(|(at, cpu)| side[..*at].contains(cpu)) {
            bail!(Usage::new(format!("--cpus names CPU {} twice on one side", twice.1)));
        }
    }
    if both.0.iter().any(|cpu| both.1.contains(cpu)) {
        eprintln!("server and generator share a CPU, so the speeds are of both together");
    }
    Ok(both)
}

/// This thread, bound to some CPUs until it is dropped.
#[derive(Debug)]
pub struct Bound(CpuSet);

impl Bound {
    /// Binds the calling thread. Fails where it may not run on one of them.
    pub fn to(cpus: &[usize]) -> Result<Self> {
        let before = sched_getaffinity(Pid::from_raw(0)).context("cannot read the CPU affinity")?;
        let mut set = CpuSet::new();
        for &cpu in cpus {
            set.set(cpu).with_context(|| format!("CPU {cpu} is out of range"))?;
        }
        sched_setaffinity(Pid::from_raw(0), &set).context("cannot bind the generator to its CPUs")?;
        Ok(Self(before))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // It ran there before.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.0);
    }
}

/// The numbers of a list; `option` and `example` are for the message about an item that is no number.
pub(crate) fn numbers(list: &str, option: &str, example: &str) -> Result<Vec<usize>> {
    let number = |word: &str| {
        word.trim().parse().ok().with_context(|| {
            Usage::new(format!("{option}: '{word}' is no number; write for example {example}"))
        })
    };
    list.split(',').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_must_be_there() {
        assert_eq!(cpus_of("0:1", &[0, 1]).expect("good"), (vec![0], vec![1]));
        assert_eq!(cpus_of("0,1:2", &[0, 1, 2]).expect("good"), (vec![0, 1], vec![2]));
        for bad in ["0", "0:", ":1", "0:7", "a:b", "0:1:1"] {
            assert!(cpus_of(bad, &[0, 1]).is_err(), "{bad}");
        }
    }

    /// Protects what runs after a pair: servers that are started then inherit the affinity of this thread.
    #[test]
    fn a_thread_is_bound_for_a_while() {
        let before = allowed_cpus().expect("it can be read");
        let last = *before.last().expect("there is one");
        let bound = Bound::to(&[last]).expect("it may run there");
        assert_eq!(allowed_cpus().expect("it can be read"), [last]);
        drop(bound);
        assert_eq!(allowed_cpus().expect("it can be read"), before);
        assert!(Bound::to(&[100_000]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9a-z,: ]{0,12}") {
            let _ = cpus_of(&text, &[0, 1]);
        }
    }
}
