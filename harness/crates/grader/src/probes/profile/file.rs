//! The file of a profile, as a teacher writes it, and the mistakes in it.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// What stands above the tables.
const ABOVE: [&str; 6] = ["name", "protocol", "version", "keep-alive", "files", "skip"];

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// What the server is called.
    pub(super) name: String,
    #[serde(default)]
    pub(super) protocol: Protocol,
    /// The version that requests name.
    #[serde(default)]
    pub(super) version: Version,
    /// Whether a connection may have several requests.
    #[serde(default = "yes")]
    pub(super) keep_alive: bool,
    /// What is copied below `$ROOT`, under the same names, from beside the server.
    #[serde(default)]
    pub(super) files: Vec<PathBuf>,
    #[serde(default)]
    pub(super) routes: Routes,
    /// Probes and groups that are left out, whatever the server has.
    #[serde(default)]
    pub(super) skip: Vec<String>,
    /// Outcomes that are declared, as by `--expect`.
    #[serde(default)]
    pub(super) expect: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    #[default]
    Http,
    Echo,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Version {
    #[serde(rename = "1.0")]
    V1_0,
    #[default]
    #[serde(rename = "1.1")]
    V1_1,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Routes {
    pub(super) hello: Option<Hello>,
    pub(super) bytes: Option<Bytes>,
    pub(super) sleep: Option<Plain>,
    pub(super) echo: Option<Plain>,
    pub(super) program: Option<Program>,
}

/// A page that is always the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) request: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
    /// Without it, and without a file, any body will do.
    pub(super) body: Option<String>,
    /// Where the body is written below `$ROOT`.
    pub(super) file: Option<PathBuf>,
}

/// A body of so many bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bytes {
    pub(super) request: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
    /// Where a file of so many bytes is written below `$ROOT`.
    pub(super) file: Option<String>,
}

/// A request and the status of its reply.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    pub(super) request: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
}

/// A page that a process of its own makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    pub(super) request: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
    /// What the body has in it.
    pub(super) contains: String,
}

fn ok() -> u16 {
    200
}

/// What stands for the number of bytes, of milliseconds, and of whole seconds.
pub(super) const N: &str = "{n}";
pub(super) const MS: &str = "{ms}";
pub(super) const S: &str = "{s}";

/// A mistake in TOML with its line and, where its value is wrong, its key. The reader's own words are a
/// picture of several lines.
pub(crate) fn in_one_line(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let words = error.message().trim_end().replace('\n', "; ");
    let Some(span) = error.span() else { return anyhow::anyhow!("{words}") };
    let before = &text[..span.start];
    let line = before.matches('\n').count() + 1;
    let on_the_line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let key = on_the_line.strip_suffix('=').map(str::trim).filter(|key| !key.is_empty());
    let key = key.map_or_else(String::new, |key| format!("`{key}`: "));
    anyhow::anyhow!("line {line}: {key}{words}")
}

impl File {
    /// Reads and checks it.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let words = in_one_line(text, &error).to_string();
            // In TOML a line behind the head of a table belongs to that table.
            let is_it = |key: &&&str| words.contains(&format!("unknown field `{key}`"));
            let moved =
                ABOVE.iter().find(is_it).map(|key| format!(" (`{key}` stands above the first table)"));
            anyhow::anyhow!("{words}{}", moved.unwrap_or_default())
        })?;
        file.check()?;
        Ok(file)
    }

    /// What the reader of TOML cannot know.
    fn check(&self) -> Result<()> {
        let Routes { hello, bytes, sleep, echo, program } = &self.routes;
        if self.protocol == Protocol::Echo {
            let has_routes =
                [hello.is_some(), bytes.is_some(), sleep.is_some(), echo.is_some(), program.is_some()];
            ensure!(
                !has_routes.contains(&true),
                "with `protocol = \"echo\"` there are no `routes`: what is sent comes back"
            );
            ensure!(self.files.is_empty(), "with `protocol = \"echo\"` there are no `files`");
            return Ok(());
        }
        let Some(hello) = hello else {
            bail!("`routes.hello` is missing: a request that is always answered, as `request = \"GET /\"`");
        };
        let requests = [
            ("hello", Some(&hello.request), Some(hello.status)),
            ("bytes", bytes.as_ref().map(|it| &it.request), bytes.as_ref().map(|it| it.status)),
            ("sleep", sleep.as_ref().map(|it| &it.request), sleep.as_ref().map(|it| it.status)),
            ("echo", echo.as_ref().map(|it| &it.request), echo.as_ref().map(|it| it.status)),
            ("program", program.as_ref().map(|it| &it.request), program.as_ref().map(|it| it.status)),
        ];
        for (name, request, status) in requests {
            if let Some(request) = request {
                check_request(request).with_context(|| format!("`routes.{name}`"))?;
            }
            if let Some(status) = status {
                ensure!(
                    (200..=599).contains(&status),
                    "`routes.{name}`: a status is a number from 200 to 599, not {status}"
                );
            }
        }
        if let Some(bytes) = bytes {
            let texts = [Some(&bytes.request), bytes.file.as_ref()];
            ensure!(
                texts.into_iter().flatten().all(|text| text.contains(N)),
                "`routes.bytes`: the request, and the file if there is one, must have {N} in it, the number of \
                 bytes"
            );
        }
        if let Some(sleep) = sleep {
            ensure!(
                sleep.request.contains(MS) || sleep.request.contains(S),
                "`routes.sleep`: the request must have {MS} or {S} in it, how many milliseconds or seconds"
            );
        }
        let written =
            [hello.file.as_deref(), bytes.as_ref().and_then(|it| it.file.as_deref()).map(Path::new)];
        for path in self.files.iter().map(PathBuf::as_path).chain(written.into_iter().flatten()) {
            let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                is_below && path.file_name().is_some(),
                "`{}` must be a path below $ROOT, without `..`",
                path.display()
            );
        }
        Ok(())
    }
}

fn check_request(request: &str) -> Result<()> {
    let right = request.split_once(' ').is_some_and(|(method, target)| {
        let is_token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        is_token && target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic())
    });
    ensure!(
        right,
        "a request is a method and a path, as `GET /index.html`, not `{}`",
        request.escape_debug()
    );
    Ok(())
}
