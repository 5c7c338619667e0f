//! What an experiment is, and which ones there are.

use crate::claims;
use crate::ledger::{self, Claim};
use crate::needs::Need;
use crate::noise;
use crate::report::{Figures, Judgement, Measured, Report};
use crate::session::Session;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One claim, examined. The claim itself and its source are in the [`ledger`].
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    /// The id of the claim.
    pub id: &'static str,
    /// What is done, in two sentences.
    pub method: &'static str,
    /// What the machine must have or allow.
    pub needs: &'static [Need],
    /// About how long it takes.
    pub seconds: Seconds,
    /// Measures.
    pub run: fn(&mut Session) -> Result<Measured>,
    /// The rule: what follows from the figures, from these or from others.
    pub judge: fn(&Figures) -> Result<Judgement>,
}

/// About how long an experiment takes, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Seconds {
    /// With `--quick`.
    pub quick: f64,
    /// Otherwise.
    pub full: f64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// For looking: fewer rounds, smaller sizes.
    Quick,
    /// For keeping.
    Full,
}

impl Profile {
    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }
}

impl Experiment {
    /// The claim.
    pub fn claim(&self) -> &'static Claim {
        ledger::find(self.id).expect("a test holds that every experiment is in the ledger")
    }

    /// About how long it takes, in seconds.
    pub fn estimate(&self, profile: Profile) -> f64 {
        match profile {
            Profile::Quick => self.seconds.quick,
            Profile::Full => self.seconds.full,
        }
    }

    /// Measures and judges.
    ///
    /// # Errors
    /// What went wrong; an [`Interrupted`](crate::session::Interrupted) when the user ended it.
    pub fn report(&self, session: &mut Session) -> Result<Report> {
        let Measured { figures, chart } = (self.run)(session)?;
        let judgement = noise::judge(self.judge, &figures).context("the rule cannot be applied")?;
        Ok(Report { figures, judgement, chart })
    }
}

/// All experiments, in the order of the ledger.
pub fn all() -> Vec<&'static Experiment> {
    let of = |claim: &Claim| claims::ALL.iter().copied().find(|experiment| experiment.id == claim.id);
    ledger::CLAIMS.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_claim_has_one_experiment() {
        let ids: BTreeSet<&str> = claims::ALL.iter().map(|experiment| experiment.id).collect();
        let claims: BTreeSet<&str> = ledger::CLAIMS.iter().map(|claim| claim.id).collect();
        assert_eq!(ids.len(), claims::ALL.len(), "an id is taken twice");
        assert_eq!(ids, claims);
    }

    /// Protects what `--all` promises: at most half an hour, or six minutes with `--quick`.
    #[test]
    fn all_experiments_fit_into_the_promised_time() {
        let total = |profile| all().iter().map(|experiment| experiment.estimate(profile)).sum::<f64>();
        assert!(total(Profile::Full) <= 30.0 * 60.0, "{}", total(Profile::Full));
        assert!(total(Profile::Quick) <= 6.0 * 60.0, "{}", total(Profile::Quick));
    }

    #[test]
    fn a_method_is_two_sentences() {
        for experiment in all() {
            let sentences = experiment.method.matches(". ").count() + 1;
            assert!(experiment.method.ends_with('.') && sentences == 2, "{}: {sentences}", experiment.id);
        }
    }
}
