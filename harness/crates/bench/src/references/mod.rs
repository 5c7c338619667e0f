//! The references: servers that others wrote, to compare the stages with. Each is started on a free port with
//! a configuration of ours that is fair to it and touches nothing else on the machine.
//!
//! What fair means here: connections live as long as the client wants, nothing is logged, there is one worker
//! for each CPU, and `/` is answered in the cheapest way that the server has.

mod h2o;
mod nginx;
mod reference;

pub use reference::{Name, Reference};

use lab_core::server_process::Launch;
use reference::is_root;

impl Reference {
    /// How to start it. The number of workers follows from the CPUs that it is bound to.
    pub fn launch(&self) -> Launch {
        match self.name {
            Name::Nginx => nginx::launch(self),
            Name::H2o => h2o::launch(self),
        }
    }

    /// The configuration for so many CPUs, for the record. `{port}` and `{directory}` differ at each start.
    pub fn configuration(&self, cpus: usize) -> String {
        let root = self.root.as_deref();
        let text = match self.name {
            Name::Nginx => nginx::configuration(root, &self.about, is_root()),
            Name::H2o => h2o::configuration(root, is_root()),
        };
        text.replace("{cpus}", &cpus.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn reference(name: Name) -> Reference {
        Reference {
            name,
            version: "1.0".into(),
            about: String::new(),
            program: "/bin/true".into(),
            root: None,
        }
    }

    /// Protects the record: a placeholder left in it would hide how many workers there were.
    #[test]
    fn the_recorded_configuration_names_the_workers() {
        for name in Name::ALL {
            let text = reference(name).configuration(3);
            assert!(!text.contains("{cpus}") && text.contains(" 3"), "{text}");
            assert!(text.contains("127.0.0.1") && text.contains("{port}"), "{text}");
        }
    }

    /// Protects both configurations from a path that ends its own quotes.
    #[test]
    fn a_root_that_cannot_be_quoted_is_refused_in_one_line() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let odd = directory.path().join("a\"; deny all; #");
        std::fs::create_dir(&odd).expect("a directory");
        for name in Name::ALL {
            assert!(reference(name).with_root(directory.path()).is_ok());
            for wrong in [odd.as_path(), Path::new("/nonexistent"), Path::new("/bin/true")] {
                let error = format!("{:#}", reference(name).with_root(wrong).expect_err("not a root"));
                assert!(!error.contains('\n') && !error.is_empty(), "{error}");
            }
        }
    }
}
