//! The references: servers that others wrote, to compare the stages with. Each is started on a free port with
//! a configuration of ours that is fair to it and touches nothing else on the machine.
//!
//! What fair means here: connections live as long as the client wants, nothing is logged, there is one worker
//! for each CPU, and `/` is answered in the cheapest way that the server has.

mod h2o;
mod nginx;

use anyhow::{Context, Result, ensure};
use lab_core::server_process::Launch;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `/` answers, as the stages do.
const GREETING: &str = "Hello, World!";
/// How many connections a worker must be able to hold: 20,000 clients, and its own descriptors.
const CONNECTIONS: usize = 20_480;

/// The references that can be asked for; the floor is the harness's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A master and its workers, each with an event loop.
    Nginx,
    /// One process with an event loop per thread.
    H2o,
}

impl Name {
    /// All of them, in the order in which they are listed and drawn.
    pub const ALL: [Name; 2] = [Name::Nginx, Name::H2o];

    /// What a user types; also the program's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Nginx => "nginx",
            Name::H2o => "h2o",
        }
    }

    /// Looks for the program. The error is the command that installs it.
    pub fn find(self) -> Result<Reference, &'static str> {
        // The package alone would start a service on port 80: the script does not let it.
        let program = program(self.as_str()).ok_or("./lab setup")?;
        let (option, marker) = match self {
            Name::Nginx => ("-V", "nginx version: nginx/"),
            Name::H2o => ("--version", "h2o version "),
        };
        let about = output(&program, option);
        let number = about.lines().find_map(|line| line.strip_prefix(marker));
        let number = number.and_then(|rest| rest.split_whitespace().next()).unwrap_or("of unknown version");
        Ok(Reference { name: self, version: number.to_owned(), about, program, root: None })
    }
}

/// A reference that is installed.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Which one.
    pub name: Name,
    /// Its number alone.
    pub version: String,
    /// What it says about how it was built.
    about: String,
    program: PathBuf,
    root: Option<String>,
}

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

    /// The same, answering also the files below `root`.
    pub fn with_root(self, root: &Path) -> Result<Self> {
        let path = root.canonicalize().with_context(|| format!("no directory {}", root.display()))?;
        ensure!(path.is_dir(), "{} is not a directory", path.display());
        // Both configurations quote alike. Nginx would take `$` for a variable, and `{` begins our own.
        let text = path.to_str().filter(|text| !text.contains(['"', '\\', '$', '{', '\n', '\r']));
        let text = text.with_context(|| {
            format!("{}: a root's path must be UTF-8 without quotes, \\, $, {{ and line ends", path.display())
        })?;
        Ok(Self { root: Some(text.to_owned()), ..self })
    }

    /// A few words for a chart: `nginx 1.22.1, return 200`.
    pub fn title(&self) -> String {
        let way = match (self.name, &self.root) {
            (_, Some(_)) => "files",
            (Name::Nginx, None) => "return 200",
            (Name::H2o, None) => "a file of 13 bytes",
        };
        format!("{} {}, {way}", self.name.as_str(), self.version)
    }
}

/// Started as root, both would change to a user who may read neither the private directory nor, perhaps, the
/// document root. The stages keep the user that started them, and so shall the references.
fn is_root() -> bool {
    procfs::process::Process::myself().and_then(|process| process.uid()).is_ok_and(|user| user == 0)
}

/// The program on PATH, or where Debian puts daemons, which is on root's PATH only.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(daemons).map(|dir| dir.join(name)).find(|program| program.is_file())
}

/// What the program prints for an option, wherever it prints it.
fn output(program: &Path, option: &str) -> String {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
