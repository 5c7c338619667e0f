//! A profile: where a server of another make has what the probes ask for, and what it has not.
//!
//! The probes ask in the words of the lab (`GET /`, `GET /bytes/N`, `GET /sleep/MS`, `POST /echo`); a profile
//! says for each of them which request stands for it, and what a right reply is. A probe that needs what the
//! profile has not is not run, and costs nothing.
//!
//! One process grades by one profile, chosen before its first probe. It is no part of a probe's subject,
//! since requests are built, and replies judged, on whatever thread a probe runs its clients.

mod file;
mod root;

use super::echo;
use super::probe::Http;
use super::routes::Route;
use super::verdict::Expected;
use super::{Probe, find, select};
use anyhow::{Context, Result};
pub(crate) use file::in_one_line;
use file::{Bytes, File, Hello, MS, N, Plain, Protocol, Routes, S, Version};
use lab_core::wire::{self, Connection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, OnceLock};

/// What a reason begins with that is none of the server's, but of the profile.
const OF_THE_PROFILE: &str = "the profile ";

/// The profiles that come with the lab: the name, and the text of the file.
const SHIPPED: [(&str, &str); 3] = [
    ("csapp-tiny", include_str!("../../../../profiles/csapp-tiny.toml")),
    ("echo-server", include_str!("../../../../profiles/echo-server.toml")),
    ("ostep-webserver", include_str!("../../../../profiles/ostep-webserver.toml")),
];

/// A profile that has been read.
#[derive(Debug)]
pub struct Profile {
    file: File,
    expect: BTreeMap<&'static str, Expected>,
    skip: BTreeSet<&'static str>,
    /// The directory that `$ROOT` names.
    root: Option<PathBuf>,
    /// Where the file of the profile is.
    home: PathBuf,
    /// The lengths of which there is a file.
    written: Mutex<BTreeSet<u64>>,
    /// What no file was read for: the routes of the lab.
    is_lab: bool,
}

static CHOSEN: OnceLock<Profile> = OnceLock::new();
static LAB: LazyLock<Profile> = LazyLock::new(Profile::of_the_lab);
static CLOSES: AtomicBool = AtomicBool::new(false);

/// The profile by which this process grades: that of the lab, if none was chosen.
pub fn current() -> &'static Profile {
    CHOSEN.get().unwrap_or(&LAB)
}

/// Grades by this profile from now on. Once in a process, before its first probe.
pub fn choose(profile: Profile) {
    assert!(CHOSEN.set(profile).is_ok(), "a process grades by one profile");
}

/// Notes whether the server that is graded next was seen to close after each reply, whatever its profile
/// says.
pub(crate) fn note_whether_it_closes(closes: bool) {
    CLOSES.store(closes, Relaxed);
}

/// The names of the profiles that come with the lab.
pub fn shipped() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

impl Profile {
    fn of_the_lab() -> Self {
        let plain = |request: &str| Some(Plain { request: request.to_owned(), status: 200 });
        let routes = Routes {
            hello: Some(Hello {
                request: "GET /".into(),
                status: 200,
                body: Some("Hello, World!".into()),
                file: None,
            }),
            bytes: Some(Bytes { request: "GET /bytes/{n}".into(), status: 200, file: None }),
            sleep: plain("GET /sleep/{ms}"),
            echo: plain("POST /echo"),
            program: None,
        };
        let file = File {
            name: "the lab".into(),
            protocol: Protocol::Http,
            version: Version::V1_1,
            keep_alive: true,
            files: Vec::new(),
            routes,
            skip: Vec::new(),
            expect: BTreeMap::new(),
        };
        Self { is_lab: true, ..Self::of(file, BTreeMap::new()) }
    }

    fn of(file: File, expect: BTreeMap<&'static str, Expected>) -> Self {
        let (root, home) = (None, PathBuf::from("."));
        Self { file, expect, skip: BTreeSet::new(), root, home, written: Mutex::default(), is_lab: false }
    }

    /// Reads a file, or one of those that come with the lab, by its name.
    pub fn read(name: &str) -> Result<Self> {
        let path = Path::new(name);
        let own = SHIPPED.iter().find(|(known, _)| *known == name).filter(|_| !path.exists());
        let text = match own {
            Some((_, text)) => (*text).to_owned(),
            None => fs::read_to_string(path).with_context(|| {
                let names = shipped().collect::<Vec<_>>().join(", ");
                format!("the profile {name} (those of the lab are {names})")
            })?,
        };
        let profile = Self::parse(&text).with_context(|| format!("the profile {name}"))?;
        let home = path.parent().filter(|parent| own.is_none() && *parent != Path::new(""));
        Ok(match home {
            Some(home) => Self { home: home.to_owned(), ..profile },
            None => profile,
        })
    }

    fn parse(text: &str) -> Result<Self> {
        let file = File::parse(text)?;
        let skip = file.skip.iter().map(|name| select(name).context("`skip`")).collect::<Result<Vec<_>>>()?;
        let skip = skip.into_iter().flatten().map(|probe| probe.name).collect();
        let expect = file.expect.iter().map(|(name, outcome)| {
            Ok((find(name).context("`expect`")?.name, Expected::parse(outcome).context("`expect`")?))
        });
        let expect = expect.collect::<Result<_>>()?;
        Ok(Self { skip, ..Self::of(file, expect) })
    }

    /// What the server is called.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// What is declared, as by `--expect`.
    pub fn expected(&self) -> &BTreeMap<&'static str, Expected> {
        &self.expect
    }

    /// The directory of `$ROOT`.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Whether the server has the routes of the lab, in their own words.
    pub(crate) fn is_lab(&self) -> bool {
        self.is_lab
    }

    /// Whether the server sends back what it receives, and speaks no HTTP.
    pub(crate) fn is_echo(&self) -> bool {
        self.file.protocol == Protocol::Echo
    }

    /// Whether a connection may have several requests: by the profile, and by what was seen first.
    pub(crate) fn keeps_open(&self) -> bool {
        // Relaxed: it is set before the first probe, and publishes nothing.
        self.file.keep_alive && !CLOSES.load(Relaxed)
    }

    /// Whether the server has something that stands for this route.
    pub(crate) fn has(&self, route: Route) -> bool {
        let routes = &self.file.routes;
        match route {
            Route::Hello => true,
            Route::Bytes => self.is_echo() || routes.bytes.is_some(),
            Route::Sleep => routes.sleep.is_some(),
            Route::Echo => self.is_echo() || routes.echo.is_some(),
            Route::Program => routes.program.is_some(),
        }
    }

    /// Whether the server can sleep for less than a second.
    pub(crate) fn naps(&self) -> bool {
        self.file.routes.sleep.as_ref().is_some_and(|sleep| sleep.request.contains(MS))
    }

    /// Why a probe says nothing about a server of this profile, where it does not.
    pub(crate) fn leaves_out(&self, probe: &Probe) -> Option<String> {
        if self.is_lab {
            return None;
        }
        let lacks = if self.is_echo() && probe.needs >= Http::Either {
            Some("HTTP".to_owned())
        } else if self.file.version == Version::V1_0 && probe.needs == Http::V1_1 {
            Some("HTTP/1.1".to_owned())
        } else if let Some(route) = probe.routes.iter().find(|route| !self.has(**route)) {
            Some(format!("route `{}`", route.name()))
        } else if !self.file.keep_alive && (probe.needs_open_connection || probe.name == "keep-alive") {
            Some("keep-alive".to_owned())
        } else {
            None
        };
        let skips = self.skip.contains(probe.name).then(|| format!("{OF_THE_PROFILE}leaves it out"));
        lacks.map(|lacks| format!("{OF_THE_PROFILE}has no {lacks}")).or(skips)
    }

    /// The request that stands for a GET of the lab.
    pub(crate) fn get(&self, path: &str, connection: Connection) -> Vec<u8> {
        if self.is_lab {
            return wire::get(path, HOST, connection);
        }
        if self.is_echo() {
            return echo::request(&match path.strip_prefix("/bytes/").map(str::parse) {
                Some(Ok(length)) => echo::filler(length),
                _ if path == "/" => HELLO.as_bytes().to_vec(),
                _ => path.as_bytes().to_vec(),
            });
        }
        // In HTTP/1.0 it is the open connection that must be asked for.
        let header = match (connection, self.file.version, self.file.keep_alive) {
            (Connection::Closed, Version::V1_1, _) => "Connection: close\r\n",
            (Connection::Kept, Version::V1_0, true) => "Connection: keep-alive\r\n",
            _ => "",
        };
        let line = self.line(&format!("GET {path}"));
        format!("{line} {}\r\nHost: {HOST}\r\n{header}\r\n", self.version()).into_bytes()
    }

    /// The request that stands for the lab's `POST /echo`.
    pub(crate) fn post_echo(&self, body: &[u8]) -> Vec<u8> {
        if self.is_echo() {
            return echo::request(body);
        }
        let (line, version, length) = (self.line("POST /echo"), self.version(), body.len());
        let head = format!("{line} {version}\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    fn version(&self) -> &'static str {
        match self.file.version {
            Version::V1_0 => "HTTP/1.0",
            Version::V1_1 => "HTTP/1.1",
        }
    }

    /// Method and target that stand for those of the lab; what is no route of the lab stays as it is. A file
    /// that is asked for is there from then on.
    ///
    /// # Panics
    ///
    /// Where that file cannot be written.
    pub(crate) fn line(&self, lab: &str) -> String {
        let routes = &self.file.routes;
        let mapped = match lab {
            "GET /" => routes.hello.as_ref().map(|hello| hello.request.clone()),
            "POST /echo" => routes.echo.as_ref().map(|echo| echo.request.clone()),
            _ => None,
        };
        let number = |prefix: &str| lab.strip_prefix(prefix).and_then(|digits| digits.parse::<u64>().ok());
        let bytes = number("GET /bytes/").zip(routes.bytes.as_ref()).map(|(length, bytes)| {
            self.write_bytes(bytes, length).unwrap_or_else(|error| panic!("{error:#}"));
            bytes.request.replace(N, &length.to_string())
        });
        let sleep = number("GET /sleep/").zip(routes.sleep.as_ref()).map(|(ms, sleep)| {
            let seconds = ms.div_ceil(1000).to_string();
            sleep.request.replace(MS, &ms.to_string()).replace(S, &seconds)
        });
        let program = routes
            .program
            .as_ref()
            .filter(|_| lab.strip_prefix("GET ") == Some(PROGRAM))
            .map(|it| it.request.clone());
        mapped.or(bytes).or(sleep).or(program).unwrap_or_else(|| lab.to_owned())
    }

    /// The target that stands for a path of the lab.
    pub(crate) fn target(&self, path: &str) -> String {
        let line = self.line(&format!("GET {path}"));
        line.split_once(' ').map_or(line.clone(), |(_, target)| target.to_owned())
    }

    /// The status of a right reply.
    pub(crate) fn status(&self, route: Route) -> u16 {
        let routes = &self.file.routes;
        let status = match route {
            Route::Hello => routes.hello.as_ref().map(|hello| hello.status),
            Route::Bytes => routes.bytes.as_ref().map(|bytes| bytes.status),
            Route::Sleep => routes.sleep.as_ref().map(|sleep| sleep.status),
            Route::Echo => routes.echo.as_ref().map(|echo| echo.status),
            Route::Program => routes.program.as_ref().map(|program| program.status),
        };
        status.unwrap_or(200)
    }

    /// The body of the page that is always the same; `None` where any will do.
    pub(crate) fn hello(&self) -> Option<&str> {
        let hello = self.file.routes.hello.as_ref();
        match hello {
            Some(Hello { body: None, file: None, .. }) => None,
            _ => Some(hello.and_then(|hello| hello.body.as_deref()).unwrap_or(HELLO)),
        }
    }

    /// What the page of a program has in it.
    pub(crate) fn program(&self) -> Option<&str> {
        self.file.routes.program.as_ref().map(|program| program.contains.as_str())
    }

    /// What is asked for first, and what must be answered.
    pub(crate) fn first_request(&self) -> (String, String) {
        let Some(hello) = self.file.routes.hello.as_ref().filter(|_| !self.is_echo()) else {
            return ("a line".to_owned(), " by the same line".to_owned());
        };
        let reply = match self.hello() {
            Some(body) if body.len() <= 60 && !body.contains('\n') => {
                format!(" with the {} bytes `{body}`", body.len())
            }
            Some(body) => format!(" with the {} bytes of the profile", body.len()),
            None => String::new(),
        };
        (format!("`{}`", hello.request), reply)
    }

    /// What is asked for by a route, and what must be answered.
    pub(crate) fn words(&self, route: Route) -> String {
        if self.is_echo() {
            return "a line, which must come back as it was sent".to_owned();
        }
        let routes = &self.file.routes;
        let request = |request: Option<&String>| request.cloned().unwrap_or_default();
        let bytes = routes.bytes.as_ref().map(|bytes| bytes.request.replace(N, "N"));
        let sleep = routes.sleep.as_ref().map(|sleep| sleep.request.replace(MS, "MS").replace(S, "S"));
        match route {
            Route::Hello => {
                let (request, reply) = self.first_request();
                format!("{}{reply}", request.trim_matches('`'))
            }
            Route::Bytes => format!("{} with N bytes", bytes.unwrap_or_default()),
            Route::Sleep => {
                let line = sleep.unwrap_or_default();
                let unit = if self.naps() { "MS milliseconds" } else { "S seconds" };
                format!("{line} after {unit}")
            }
            Route::Echo => {
                let line = request(routes.echo.as_ref().map(|echo| &echo.request));
                format!("{line} with the body that it received")
            }
            Route::Program => {
                let line = request(routes.program.as_ref().map(|program| &program.request));
                format!("{line} with `{}` in its body", self.program().unwrap_or_default())
            }
        }
    }
}

/// The host that every probe asks for.
const HOST: &str = "probe";

/// What the page that is always the same says, if the profile does not say otherwise.
const HELLO: &str = "Hello, World!";

/// The path that stands for the page of a program. The lab has none.
pub(crate) const PROGRAM: &str = "/program";

/// Whether a reason is one of the profile's.
pub(crate) fn is_of_the_profile(reason: &str) -> bool {
    reason.starts_with(OF_THE_PROFILE)
}

#[cfg(test)]
mod tests {
    use super::super::PROBES;
    use super::*;

    const TINY: &str = "name = 'tiny'\nversion = '1.0'\nkeep-alive = false\n\
                        [routes.hello]\nrequest = 'GET /'\nfile = 'home.html'\n\
                        [routes.bytes]\nrequest = 'GET /files/{n}.txt'\nfile = 'files/{n}.txt'\n\
                        [routes.program]\nrequest = 'GET /cgi-bin/adder?1&2'\ncontains = '3'\n";

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    /// Protects every probe: a request of the lab is the profile's own, and what is no route stays as it is.
    #[test]
    fn requests_are_those_of_the_profile() {
        let profile = Profile::parse(TINY).expect("it is right");
        for (path, line) in [
            ("/", "GET / HTTP/1.0"),
            ("/bytes/120", "GET /files/120.txt HTTP/1.0"),
            ("/no-such-file", "GET /no-such-file HTTP/1.0"),
        ] {
            let expected = format!("{line}\r\nHost: probe\r\n\r\n");
            assert_eq!(text(profile.get(path, Connection::Kept)), expected);
            assert_eq!(text(profile.get(path, Connection::Closed)), expected);
        }
        let sleeps = format!("{TINY}[routes.sleep]\nrequest = 'GET /spin.cgi?{{s}}'\n");
        let sleeps = Profile::parse(&sleeps).expect("it is right");
        assert_eq!(sleeps.target("/sleep/1"), "/spin.cgi?1");
        assert_eq!(sleeps.target("/sleep/1001"), "/spin.cgi?2");
        let open = Profile::parse("name = 'x'\nversion = '1.0'\nroutes.hello.request = 'GET /a'\n").unwrap();
        let expected = "GET /a HTTP/1.0\r\nHost: probe\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(text(open.get("/", Connection::Kept)), expected);
        assert_eq!(open.hello(), None, "any body will do");
        let other = "name = 'x'\nroutes.hello.request = 'GET /'\nroutes.echo.request = 'PUT /back'\n";
        let other = Profile::parse(other).unwrap();
        let expected = "PUT /back HTTP/1.1\r\nHost: probe\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(text(other.post_echo(b"ab")), expected);
    }

    /// Protects the probes of large bodies: the file is there when it is asked for, and has the length and
    /// the period that is looked for.
    #[test]
    fn a_file_is_there_when_it_is_asked_for() {
        let mut profile = Profile::parse(TINY).expect("it is right");
        let root = tempfile::tempdir().expect("a directory");
        profile.fill(root.path(), None).expect("it can be written");
        assert_eq!(fs::read_to_string(root.path().join("home.html")).expect("it is there"), "Hello, World!");
        for length in [0, 1, 200] {
            profile.get(&format!("/bytes/{length}"), Connection::Kept);
            let body = fs::read(root.path().join(format!("files/{length}.txt"))).expect("it is there");
            assert_eq!(body.len(), length);
            assert!(body.iter().zip(body.iter().skip(64)).all(|(a, b)| a == b));
        }
    }

    /// Protects a server from being asked for what it does not have, and the reader from a wrong reason.
    #[test]
    fn what_the_profile_has_not_is_left_out() {
        let profile = Profile::parse(TINY).expect("it is right");
        let why = |name: &str| profile.leaves_out(find(name).expect("a probe"));
        assert_eq!(why("two-clients"), None);
        assert_eq!(why("short-write-body"), None);
        assert_eq!(why("fast-beside-slow").as_deref(), Some("the profile has no route `sleep`"));
        assert_eq!(why("keep-alive").as_deref(), Some("the profile has no keep-alive"));
        assert_eq!(why("malformed").as_deref(), Some("the profile has no HTTP/1.1"));
        let echo = Profile::parse("name = 'echo'\nprotocol = 'echo'\n").expect("it is right");
        let why = |name: &str| echo.leaves_out(find(name).expect("a probe"));
        assert_eq!(why("half-close-large"), None);
        assert_eq!(why("malformed").as_deref(), Some("the profile has no HTTP"));
        assert_eq!(why("in-order").as_deref(), Some("the profile has no route `sleep`"));
        assert!(PROBES.iter().all(|probe| LAB.leaves_out(probe).is_none()));
    }

    /// Protects teachers: each profile of the lab can be read, and a mistake in a file is one line that names
    /// it.
    #[test]
    fn a_mistake_in_the_file_is_one_line() {
        for name in shipped() {
            let profile = Profile::read(name).expect(name);
            assert!(!profile.is_lab() && !profile.name().is_empty());
        }
        let hello = "name = 'x'\nroutes.hello.request = 'GET /'\n";
        for (text, named) in [
            ("", "name"),
            ("name = 'x'\n", "routes.hello"),
            ("name = 'x'\n[route.hello]\n", "line 2"),
            ("name = 'x'\nprotocol = 'smtp'\n", "`http` or `echo`"),
            ("name = 'x'\nversion = '2'\n", "`1.0` or `1.1`"),
            ("name = 'x'\nroutes.hello.request = '/'\n", "GET /index.html"),
            ("name = 'x'\nroutes.hello.request = 'GET index'\n", "GET /index.html"),
            ("name = 'x'\nroutes.hello = { request = 'GET /', bdy = 'y' }\n", "bdy"),
            ("name = 'x'\nroutes.hello = { request = 'GET /', status = 99 }\n", "not 99"),
            ("name = 'x'\nroutes.hello = { request = 'GET /', file = '../x' }\n", "../x"),
            (&format!("{hello}routes.bytes.request = 'GET /large'\n"), "{n}"),
            (&format!("{hello}routes.bytes = {{ request = 'GET /{{n}}', file = 'large' }}\n"), "{n}"),
            (&format!("{hello}routes.sleep.request = 'GET /sleep'\n"), "{ms}"),
            (&format!("{hello}expect.no-such = 'wrong'\n"), "no-such"),
            (
                "name = 'x'\n[routes.hello]\nrequest = 'GET /'\nskip = ['end']\n",
                "line 4: unknown field `skip`",
            ),
            (&format!("{hello}[routes.sleep]\nskip = ['end']\n"), "`skip` stands above the first table"),
            (&format!("skip = ['end', 'no-such']\n{hello}"), "`no-such`"),
            (&format!("{hello}expect.keep-alive = 'bad'\n"), "bad"),
            ("name = 'x'\nprotocol = 'echo'\nroutes.hello.request = 'GET /'\n", "comes back"),
            ("name = \n", "line 1"),
        ] {
            let error = format!("{:#}", Profile::parse(text).expect_err(text));
            assert!(error.contains(named) && error.lines().count() == 1, "{text}: {error}");
        }
        let error = format!("{:#}", Profile::read("no/such/file.toml").expect_err("none"));
        assert!(error.contains("csapp-tiny") && error.lines().count() == 1, "{error}");
    }
}
