//! A reference that is installed, and what every one of them must answer and hold.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `/` answers, as the stages do.
pub(super) const GREETING: &str = "Hello, World!";
/// How many connections a worker must be able to hold: 20,000 clients, and its own descriptors.
pub(super) const CONNECTIONS: usize = 20_480;

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
    pub(super) about: String,
    pub(super) program: PathBuf,
    pub(super) root: Option<String>,
}

impl Reference {
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
pub(super) fn is_root() -> bool {
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
